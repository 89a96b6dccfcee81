# SPDX-License-Identifier: Apache-2.0
"""update_share_from_metadata: metadata that a driver acts on."""

from __future__ import annotations

from typing import Any

from manila_lite.db import messages
from manila_lite.db.writes import Write
from manila_lite.engine import Operation, flow
from manila_lite.share.flows import common


def updating_failed(
    op: Operation, error: BaseException, share_id: str, metadata: Any
) -> list[Write]:
    """Tell the user: the share stays as it is, and its metadata are there."""
    return _told(op, share_id, messages.DETAIL_UPDATE_METADATA_FAILURE)


def _told(op: Operation, share_id: str, detail: str) -> list[Write]:
    instance = common.get_instance_of_share(op, share_id)
    if instance is None:
        return []
    now = op.clock.now()
    return common.tell_user(op, instance, messages.ACTION_UPDATE_METADATA, now, detail=detail)


@flow(
    "update_share_from_metadata",
    version="1.28",
    lane="share:{share_id}",
    resource=("share", "share_id"),
    first_step="update",
    on_failure=updating_failed,
)
def update_share_from_metadata(op: Operation, share_id: str, metadata: dict[str, Any]) -> None:
    """Have the driver do what new metadata ask for; the rows of the metadata are the API's.

    A driver that has no such method fails it: somebody expects an effect.
    """
    instance = common.get_instance_of_share(op, share_id)
    if instance is None:
        return common.skip(op, "the share is deleted")
    server = common.share_server(op, instance)
    op.step(
        "update",
        _update,
        op.env.driver,
        op.context,
        instance,
        metadata,
        server,
        retry=common.DRIVER,
    )
    op.finish(_told(op, share_id, messages.DETAIL_UPDATE_METADATA_SUCCESS))


def _update(driver: Any, context: Any, instance: Any, metadata: Any, server: Any) -> None:
    update = getattr(driver, "update_share_from_metadata", None)
    if update is None:
        raise NotImplementedError("this driver acts on no metadata")
    update(context, instance, metadata, share_server=server)
