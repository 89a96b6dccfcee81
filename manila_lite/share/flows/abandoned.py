# SPDX-License-Identifier: Apache-2.0
"""What all reconciliations have in common: which rows are old enough, and what became of them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator

from manila_lite import exception
from manila_lite.db.records import Record
from manila_lite.share.flows import casting


class Abandoned(exception.ManilaException):
    message = (
        "%(what)s was found in '%(status)s' with no operation behind it, and it cannot be told "
        "how far it came."
    )


def older(rows: Iterable[Record], before: datetime.datetime) -> Iterator[Record]:
    """Yield the rows that last changed before that time."""
    for row in rows:
        changed = row["updated_at"] or row["created_at"]
        if changed is None or changed <= before:
            yield row


def message_id(method: str, row: Record, moment: datetime.datetime) -> str:
    """Return the id under which the row's state is taken up once within an hour.

    It is taken up again after that, where the end of the first time could not be recorded.
    """
    hour = moment.strftime("%Y-%m-%d %H")
    return casting.message_id(method, row["id"], row["status"], row["updated_at"], hour)
