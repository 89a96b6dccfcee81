# SPDX-License-Identifier: Apache-2.0
"""ensure_volume_exports: at each start, have the driver see that volumes can be reached.

For volumes in files that is: their share is mounted. Beside the casts, page by page. A volume that
cannot be reached keeps its status, as its data are as good as before; the operation tells of it.
"""

from __future__ import annotations

from typing import Any, Final

from oslo_log import log

from manila_lite import volume_states
from manila_lite.db import volume_changes
from manila_lite.db import volumes as volume_rows
from manila_lite.db.records import Record
from manila_lite.db.writes import execute_writes
from manila_lite.engine import Operation
from manila_lite.volume.flows import common
from manila_lite.volume.flows.casting import flow

LOG = log.getLogger(__name__)

ENSURE: Final = "ensure_volume_exports"
PAGE: Final = 200
_STATUSES: Final = (volume_states.AVAILABLE, volume_states.IN_USE)
_NAMED: Final = 20


@flow(ENSURE, lane="ensure:{host}", internal=True)
def ensure_volume_exports(op: Operation) -> None:
    """Ensure all volumes that can be used; the result counts them."""
    after: str | None = ""
    ensured, failed = 0, []
    while after is not None:
        step = f"volumes after {after or 'the start'}"
        page = op.step(step, _ensure_page, op, after, retry=common.DRIVER)
        ensured += page["ensured"]
        failed += page["failed"]
        after = page["last"]
    op.finish(result={"ensured": ensured, "failed": len(failed), "such as": failed[:_NAMED]})


def _ensure_page(op: Operation, after: str) -> dict[str, Any]:
    page = common.read(
        op,
        lambda connection: volume_rows.list_of_host(
            connection, op.env.host, after, PAGE, _STATUSES, op.env.volume_name_template
        ),
    )
    failed = [volume["id"] for volume in page if not _ensured(op, volume)]
    last = page[-1]["id"] if len(page) == PAGE else None
    return {"ensured": len(page) - len(failed), "failed": failed, "last": last}


def _ensured(op: Operation, volume: Record) -> bool:
    try:
        update = op.env.driver.ensure_export(op.context, volume)
        writes = volume_changes.updated(volume, update, op.clock.now())
        if writes:
            op.env.db.run(lambda connection: execute_writes(connection, [writes]))
    except Exception as error:
        LOG.warning("Volume %s cannot be reached just now: %s", volume["id"], error)
        return False
    return True
