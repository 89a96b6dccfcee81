# SPDX-License-Identifier: Apache-2.0
"""Task states of shares: how far a migration is. The words are Manila's."""

from __future__ import annotations

from typing import Final

MIGRATION_STARTING: Final = "migration_starting"
MIGRATION_IN_PROGRESS: Final = "migration_in_progress"
MIGRATION_DRIVER_STARTING: Final = "migration_driver_starting"
MIGRATION_DRIVER_IN_PROGRESS: Final = "migration_driver_in_progress"
MIGRATION_DRIVER_PHASE1_DONE: Final = "migration_driver_phase1_done"
MIGRATION_COMPLETING: Final = "migration_completing"
MIGRATION_SUCCESS: Final = "migration_success"
MIGRATION_ERROR: Final = "migration_error"
MIGRATION_CANCELLED: Final = "migration_cancelled"

#: A migration is over, or there never was one.
OVER: Final = frozenset({None, MIGRATION_SUCCESS, MIGRATION_ERROR, MIGRATION_CANCELLED})
#: The service that copies data between shares has it.
COPYING: Final = frozenset(
    {
        "data_copying_starting",
        "data_copying_in_progress",
        "data_copying_completing",
        "data_copying_completed",
        "data_copying_cancelled",
        "data_copying_error",
    }
)
