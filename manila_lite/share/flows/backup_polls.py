# SPDX-License-Identifier: Apache-2.0
"""What drivers do with backups, and asking them how far they are."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

from manila_lite import exception, states
from manila_lite.db import backups
from manila_lite.db.records import Record
from manila_lite.engine import Operation, Pending, Schedule
from manila_lite.share.flows import common

# A copy takes minutes to days; the driver is the one that gives up, this is only the last resort.
DEADLINE: Final = 30 * 24 * 3600.0  # seconds
_DONE: Final = 100


def start_creation(driver: Any, *args: Any, share_server: Record | None) -> None:
    """Have the driver begin a backup. NotImplementedError where it makes none."""
    method = _method(getattr(driver, "create_backup", None), "create_backup")
    method(*args, share_server=share_server)


def start_restoration(driver: Any, *args: Any, share_server: Record | None) -> None:
    """Have the driver begin to restore. NotImplementedError where it restores none."""
    method = _method(getattr(driver, "restore_backup", None), "restore_backup")
    method(*args, share_server=share_server)


def delete(driver: Any, *args: Any, share_server: Record | None) -> None:
    """Have the driver remove a backup. NotImplementedError where it has none."""
    method = _method(getattr(driver, "delete_backup", None), "delete_backup")
    method(*args, share_server=share_server)


def restores_elsewhere(driver: Any) -> bool:
    """Whether the driver restores a backup into another share than the one it was made of."""
    return bool(getattr(driver, "restore_to_target_support", False))


def created(op: Operation, instance: Record, backup: Record) -> None:
    """Wait until the driver says that the backup is made, and show how far it is."""
    driver = op.env.driver
    ask = functools.partial(
        _method(getattr(driver, "create_backup_continue", None), "create_backup_continue"),
        op.context,
        instance,
        backup,
        share_server=common.share_server(op, instance),
    )
    interval = op.env.conf.driver_backup_continue_update_interval
    _follow(op, ask, backup, states.CREATING, _percent(backup["progress"]), interval)


def restored(op: Operation, instance: Record, backup: Record) -> None:
    """Wait until the driver says that the backup is restored, and show how far it is."""
    driver = op.env.driver
    ask = functools.partial(
        _method(getattr(driver, "restore_backup_continue", None), "restore_backup_continue"),
        op.context,
        backup,
        instance,
        share_server=common.share_server(op, instance),
    )
    interval = op.env.conf.driver_restore_continue_update_interval
    _follow(op, ask, backup, states.RESTORING, _percent(backup["restore_progress"]), interval)


def _method(found: Any, name: str) -> Callable[..., Any]:
    """Drivers that were written before there were backups have no such methods."""
    if found is None:
        raise NotImplementedError(f"the driver has no {name}")
    method: Callable[..., Any] = found
    return method


def _follow(
    op: Operation,
    ask: Callable[[], Any],
    backup: Record,
    status: str,
    known: int,
    interval: int,
) -> None:
    # Recorded before the driver is asked: whatever dies from here on, nothing is begun twice.
    op.record("begun", ())
    poll = _Poll(op.env, ask, backup["id"], status, known)
    op.wait("copy", poll, schedule=schedule(interval), deadline=DEADLINE)


def schedule(interval: float) -> Schedule:
    """Ask every so many seconds, and more often at first: small shares are soon done."""
    return Schedule(((0, min(1, interval)), (10, min(5, interval)), (60, interval)))


class _Poll:
    """Asks the driver; what a user sees of the progress never goes back, and ends with the end."""

    __slots__ = ("_ask", "_backup_id", "_environment", "_known", "_status")

    def __init__(
        self, environment: Any, ask: Callable[[], Any], backup_id: str, status: str, known: int
    ) -> None:
        self._environment = environment
        self._ask = ask
        self._backup_id = backup_id
        self._status = status
        self._known = known

    def __call__(self) -> Any:
        answer = self._ask()
        percent = progress_of(answer)
        if percent >= _DONE:
            return None
        if percent > self._known:
            self._show(percent)
        return Pending(f"{self._known}%")

    def _show(self, percent: int) -> None:
        now = self._environment.clock.now()
        writes = backups.progressed(self._backup_id, self._status, percent, now)
        common.write(self._environment, writes)
        self._known = percent


def progress_of(answer: Any) -> int:
    """Return the percent, 0 to 100, that a driver reports as ``total_progress``.

    Raises BackupException for anything that is no number; a driver that says nothing is at 0.
    """
    if answer is not None and not isinstance(answer, Mapping):
        raise exception.BackupException(reason=f"the driver reports {answer!r:.100} as progress")
    reported = (answer or {}).get("total_progress")
    if reported is None:
        return 0
    try:
        percent = int(float(str(reported).strip().removesuffix("%")))
    except (ValueError, OverflowError):
        raise exception.BackupException(
            reason=f"the driver reports a total_progress of {reported!r:.100}"
        ) from None
    return max(0, min(percent, _DONE))


def _percent(shown: Any) -> int:
    """What a row says already; Manila writes whatever the driver reported."""
    try:
        return progress_of({"total_progress": shown})
    except exception.BackupException:
        return 0
