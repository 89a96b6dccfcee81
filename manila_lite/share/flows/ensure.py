# SPDX-License-Identifier: Apache-2.0
"""ensure_driver_resources: have the driver look after every share, beside the casts.

A driver that has ensure_shares is given the shares page by page, all but those that another
operation works on. For one that has only ensure_share, each share becomes an operation of its own
in the share's lane, a few at a time: however many shares there are, and however slow the storage
is, casts find threads.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import exception, states
from manila_lite.db import backend_info, messages, services, share_changes
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write, execute_writes
from manila_lite.engine import AGAIN, Operation, Pending, Schedule, flow
from manila_lite.share.flows import casting, common, pools

LOG = log.getLogger(__name__)

PAGE = 200
AT_ONCE = 16
_OFTEN = Schedule(((0, 0.1),))


def _not_ensuring(op: Operation, error: BaseException, **arguments: Any) -> list[Write]:
    return services.ensuring(op.env.host, False)


@flow(
    "ensure_driver_resources",
    version="1.29",
    lane="ensure:{host}",
    on_failure=_not_ensuring,
)
def ensure_driver_resources(op: Operation, skip_backend_info_check: bool = False) -> None:
    """Ensure all available shares, unless the driver says that nothing has changed.

    skip_backend_info_check: ensure them whatever the driver says.
    """
    info_hash = op.step(
        "ask for changes", _hash_now, op.env.driver, op.context, retry=common.DRIVER
    )
    if not skip_backend_info_check and info_hash is not None and info_hash == _hash_before(op):
        return common.skip(op, "the back end is as it was when the shares were last ensured")
    op.record("begin", services.ensuring(op.env.host, True))
    op.step("name pools", pools.name_pools, op, probe=lambda: AGAIN)
    if not _in_pages(op):
        _one_by_one(op)
    op.finish(
        services.ensuring(op.env.host, False),
        [] if info_hash is None else _keep(op, info_hash),
    )


def _hash_now(driver: Any, context: Any) -> str | None:
    try:
        info = driver.get_backend_info(context)
    except NotImplementedError:
        return None
    return backend_info.hash_of(info) if info else None


def _hash_before(op: Operation) -> str | None:
    return common.read(op, lambda connection: backend_info.get_hash(connection, op.env.host))


def _keep(op: Operation, info_hash: str) -> list[Write]:
    return backend_info.set_hash(op.env.host, info_hash, op.clock.now())


# -- by pages ----------------------------------------------------------------------------------


def _in_pages(op: Operation) -> bool:
    """Ensure page after page; False when the driver has no ensure_shares."""
    after: str | None = ""
    while after is not None:
        name = f"shares after {after or 'the start'}"
        done = op.step(name, _ensure_page, op, after, retry=common.DRIVER)
        if done == "unsupported":
            return False
        after = done
    return True


def _ensure_page(op: Operation, after: str) -> str | None:
    """Ensure the page that begins behind that id; return its last id, None for the last page."""
    page, free = common.read(op, functools.partial(_page_after, op, after))
    if not page and after:
        return None
    try:
        updates = op.env.driver.ensure_shares(op.context, free) or {}
    except NotImplementedError:
        return "unsupported"
    _apply(op, free, updates)
    return page[-1]["id"] if len(page) == PAGE else None


def _page_after(
    op: Operation, after: str, connection: Connection
) -> tuple[list[Record], list[Record]]:
    page = next(_pages(op, connection, after), [])
    lanes = [(casting.lane_of(instance["share_id"]), instance) for instance in page]
    free = casting.on_idle_lanes(connection, op.env.host, lanes)
    share_rows.complete(connection, free)
    return page, free


def _pages(op: Operation, connection: Connection, after: str) -> Iterator[list[Record]]:
    return share_rows.iterate_instances(
        connection,
        op.env.host,
        [states.AVAILABLE, states.ENSURING],
        op.env.share_name_template,
        page=PAGE,
        after=after,
    )


def _apply(
    op: Operation, instances: Sequence[Record], updates: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write what the driver returned; guarded, for operations may have begun meanwhile."""
    bundles = []
    for instance in instances:
        update = updates.get(instance["id"])
        bundles.append(_changes(op, instance, update if isinstance(update, Mapping) else {}))
    op.env.db.run(lambda connection: execute_writes(connection, [b for b in bundles if b]))


def _changes(op: Operation, instance: Record, update: Mapping[str, Any]) -> list[Write]:
    now = op.clock.now()
    writes: list[Write] = []
    if update.get("export_locations"):
        try:
            writes += share_changes.located(instance, update["export_locations"], now)
        except exception.InvalidShareInstance as error:
            LOG.warning("Share instance %s keeps its export locations: %s", instance["id"], error)
    status = update.get("status") or states.AVAILABLE
    if status == states.ERROR:
        LOG.error("The driver reports share instance %s as lost or broken", instance["id"])
        writes += share_changes.move(instance["id"], states.ENSURING, status, now)
        writes += common.tell_user(op, instance, messages.ACTION_UPDATE, now)
    elif instance["status"] == states.ENSURING:
        writes += share_changes.move(instance["id"], states.ENSURING, states.AVAILABLE, now)
    return writes


# -- one by one --------------------------------------------------------------------------------


def _one_by_one(op: Operation) -> None:
    has_own = getattr(op.env.driver, "_has_redefined_driver_methods", None)
    if has_own is not None and not has_own("ensure_share"):
        return
    op.wait("shares", _Feeder(op), schedule=_OFTEN)


class _Feeder:
    """The probe of a wait that keeps a few shares under way until all had their turn.

    After a restart it begins again; shares that had their turn are known by their message ids.
    """

    def __init__(self, op: Operation) -> None:
        self._op = op
        self._environment = op.env
        self._under_way: list[str] = []
        self._after = ""
        self._exhausted = False

    def __call__(self) -> Any:
        self._under_way = self._still_under_way()
        if not self._exhausted and len(self._under_way) < AT_ONCE:
            self._feed(AT_ONCE - len(self._under_way))
        return Pending() if self._under_way or not self._exhausted else None

    def _still_under_way(self) -> list[str]:
        if not self._under_way:
            return []
        work = functools.partial(
            casting.unfinished, host=self._environment.host, message_ids=self._under_way
        )
        return sorted(self._environment.db.run(work, write=False))

    def _feed(self, most: int) -> None:
        ids = self._environment.db.run(functools.partial(self._next_ids, most=most), write=False)
        self._exhausted = len(ids) < most
        if not ids:
            return
        self._after = ids[-1]
        new = {casting.message_id(self._op.uuid, key): key for key in ids}
        casting.journal_of(self._environment).record(
            [
                casting.internal(ENSURE_ONE, message_id=message, share_instance_id=key)
                for message, key in new.items()
            ]
        )
        self._under_way += new

    def _next_ids(self, connection: Connection, most: int) -> list[str]:
        pages = share_rows.iterate_instances(
            connection, self._environment.host, [states.AVAILABLE], page=most, after=self._after
        )
        return [instance["id"] for instance in next(pages, [])]


ENSURE_ONE = "_ensure_share"


@flow(
    ENSURE_ONE,
    lane="share:{share_id}",
    resource=("share_instance", "share_instance_id"),
    internal=True,
)
def ensure_share(op: Operation, share_instance_id: str) -> None:
    """Ensure one share; keep the export locations that the driver returns.

    An error changes nothing but the log and the operation's result: the share may be in use all
    the same, and the next start tries again.
    """
    instance = common.get_instance(op, share_instance_id)
    if instance is None or instance["status"] != states.AVAILABLE:
        return common.skip(op, "the share is not available any more")
    try:
        server = common.share_server(op, instance)
        exports = op.env.driver.ensure_share(op.context, instance, share_server=server)
    except NotImplementedError:
        return common.skip(op, "this driver has no ensure_share")
    except Exception as error:
        LOG.warning("Share instance %s could not be ensured: %s", share_instance_id, error)
        return op.finish(result={"problem": common.problem(error)})
    op.finish(_changes(op, instance, {"export_locations": exports or None}))
