# SPDX-License-Identifier: Apache-2.0
"""transfer_accept: a share goes over to another project. The API changes the rows and the usages.

The API does so after the call has come back, and calls again with the old owner when that fails.
"""

from __future__ import annotations

import threading
from typing import Final

from oslo_log import log
from sqlalchemy.engine import Connection

from manila_lite import exception
from manila_lite.context import RequestContext
from manila_lite.db import access, access_changes, messages, operations
from manila_lite.db import shares as share_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import Write
from manila_lite.engine.registry import CALL, flow
from manila_lite.share.environment import ShareEnvironment
from manila_lite.share.flows import casting, common, delete

LOG = log.getLogger(__name__)

_REFUSED = "DriverCannotTransferShareWithRules"
#: How long operations on the share are waited for: the caller waits a minute.
PATIENCE: Final = 50.0  # seconds
_INTERVAL: Final = 1.0  # seconds


@flow("transfer_accept", version="1.25", lane="call", kind=CALL)
def transfer_accept(
    environment: ShareEnvironment,
    context: RequestContext,
    share_id: str,
    new_user: str,
    new_project: str,
    clear_rules: bool = False,
) -> None:
    """Have the driver hand a share over to a user of another project.

    clear_rules: nobody who has access to the share keeps it; an update of its rules that is under
    way comes first. Raises what the driver raises, ShareBusyException where operations on the share
    take too long: the share stays whose it was.
    """
    instances = environment.db.run(lambda c: _instances(environment, c, share_id), write=False)
    if not instances:
        raise exception.ShareNotFound(share_id=share_id)
    if clear_rules:
        _wait_for_operations(environment, share_id)
    for instance in instances:
        server = common.share_server_of(environment, instance)
        rules = _rules(environment, instance)
        if clear_rules and rules:
            _clear(environment, context, instance, server)
            rules = []
        accept = getattr(environment.driver, "transfer_accept", None)
        if accept is None:
            continue
        try:
            accept(
                context, instance, new_user, new_project, access_rules=rules, share_server=server
            )
        except Exception as error:
            if common.is_named(error, _REFUSED):
                common.write(environment, _refusal(environment, context, share_id, new_project))
            raise
    LOG.info("Share %s goes over to project %s", share_id, new_project)


def _instances(
    environment: ShareEnvironment, connection: Connection, share_id: str
) -> list[Record]:
    template = environment.share_name_template
    found = share_rows.list_instances_of_share(connection, share_id, template)
    here = [i for i in found if share_rows.backend_of(i["host"]) == environment.host]
    return list(share_rows.complete(connection, here))


def _wait_for_operations(environment: ShareEnvironment, share_id: str) -> None:
    """Wait until no operation on the share is under way or queued: it may be giving access."""
    lane = casting.lane_of(share_id)
    deadline = environment.clock.monotonic() + PATIENCE
    while environment.db.run(
        lambda c: operations.open_lanes(c, environment.host, [lane]), write=False
    ):
        if environment.clock.monotonic() >= deadline:
            raise exception.ShareBusyException(
                reason=f"operations on share {share_id} did not end within {PATIENCE:.0f} seconds"
            )
        environment.clock.wait(threading.Event(), _INTERVAL)


def _rules(environment: ShareEnvironment, instance: Record) -> list[Record]:
    return environment.db.run(
        lambda c: access.rules_of_instance(c, instance["share_id"], instance["id"]), write=False
    )


def _clear(
    environment: ShareEnvironment,
    context: RequestContext,
    instance: Record,
    server: Record | None,
) -> None:
    """Take all rules off the storage, then out of the database; where that fails, show it."""
    changes, now = access_changes.OF_SHARE, environment.clock.now
    key = instance["id"]
    common.write(environment, [*changes.queued_to_deny(key, now()), *changes.begin(key, now())])
    rules = [rule for rule in _rules(environment, instance) if rule["mapping_id"] is not None]
    try:
        delete.deny_all(environment.driver, context, instance, rules, server)
    except BaseException:
        common.write(environment, changes.failed(key, now()))
        raise
    gone = [rule["access_id"] for rule in rules]
    common.write(environment, changes.settled(key, now(), denied=gone))


def _refusal(
    environment: ShareEnvironment, context: RequestContext, share_id: str, project_id: str
) -> list[Write]:
    return messages.message(
        project_id,
        messages.RESOURCE_SHARE,
        share_id,
        messages.ACTION_TRANSFER_ACCEPT,
        environment.clock.now(),
        detail_id=messages.DETAIL_DRIVER_FAILED_TRANSFER_ACCEPT,
        request_id=context.request_id,
    )
