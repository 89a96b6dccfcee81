# SPDX-License-Identifier: Apache-2.0
"""What follows once a request is sent: waiting for it, or telling what is going on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from manila_lite.cmd.app import App

if TYPE_CHECKING:
    from manila_lite.cmd.dispatch import Sent


def deletion(found: Mapping[str, Any], accepted: Sequence[Sent]) -> dict[str, Any]:
    """A resource that is being deleted, as ``--json`` shows it."""
    operations = [item.uuid for item in accepted if item.uuid]
    return {"id": found["id"], "name": found["display_name"], "operations": operations}


def tell_deleted(app: App, kind: str, gone: Sequence[dict[str, Any]], waited: bool) -> None:
    """Say what is gone, or going."""
    if app.output.as_json:
        app.output.json(list(gone))
        return
    for item in gone:
        label = f"{item['name']} ({item['id']})" if item["name"] else item["id"]
        app.output.say(f"Deleted {kind} {label}." if waited else f"Deleting {kind} {label}.")


def tell_unmanaged(app: App, kind: str, gone: Sequence[dict[str, Any]], waited: bool) -> None:
    """Say what is let go of; its data stay on the storage."""
    if app.output.as_json:
        app.output.json(list(gone))
        return
    for item in gone:
        label = f"{item['name']} ({item['id']})" if item["name"] else item["id"]
        done = "Unmanaged" if waited else "Unmanaging"
        app.output.say(f"{done} {kind} {label}. Its data stay on the storage.")


def after_sending(app: App, sent: Sequence[Sent], wait: bool, timeout: float | None) -> None:
    """Wait for the operations; without --wait, warn where no service would take them."""
    if wait:
        from manila_lite.cmd.waiting import wait_for

        wait_for(app, sent, timeout)
    else:
        from manila_lite.cmd.dispatch import warn_where_nobody_listens

        warn_where_nobody_listens(app, sent)
