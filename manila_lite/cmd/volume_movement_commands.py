# SPDX-License-Identifier: Apache-2.0
"""manila-lite volume attach, detach, revert, upload and migrate."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from manila_lite.cmd import acting
from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.options import DisplayName, waits
from manila_lite.cmd.volume_views import show_volume

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from manila_lite.cmd.dispatch import Prepared, Sent
    from manila_lite.context import RequestContext
    from manila_lite.db.records import Record

    RequestMaker = Callable[[Connection], tuple[Record, Prepared]]

FORMATS = ("raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx")


@click.command()
@click.argument("name")
@click.option("--instance", "instance_uuid", metavar="ID", help="The guest that gets it.")
@click.option("--host-name", "attached_host", metavar="HOST", help="The machine that gets it.")
@click.option("--mountpoint", metavar="DEVICE", help="What it is there, such as /dev/vdb.")
@click.option("--mode", type=click.Choice(["rw", "ro"]), default="rw", show_default=True)
@pass_app
def attach(app: App, name: str, mode: str, **columns: str | None) -> None:
    """Record that a guest or a machine has a volume.

    This is what an API does for its Nova: the volume is in-use afterwards, and its snapshots are
    made and removed with the help of who holds it. Nothing is connected by it.

    \b
    Examples:
      manila-lite volume attach disk --host-name here --mountpoint /dev/vdb
      manila-lite volume attach disk --instance 0b9e9ad1-65dc-4b26-8b2b-dc1a6d7e2f60
    """
    from manila_lite.cmd import volume_movements
    from manila_lite.cmd.errors import Refused

    attachment_id, now = str(uuid.uuid4()), app.clock.now()
    found = app.write(lambda c: volume_movements.reserve(c, name, now))
    if app.read(lambda c: volume_movements.is_busy(c, found)):
        app.write(lambda c: volume_movements.release(c, found, now))
        raise Refused(reason=f"something is under way on volume {found['id']}; try again later")
    app.write(lambda c: volume_movements.attach(c, found, attachment_id, now, mode=mode, **columns))
    show_volume(app, found["id"])


@click.command()
@click.argument("name")
@click.option("--attachment", metavar="ID", help="Which one, where there are several.")
@pass_app
def detach(app: App, name: str, attachment: str | None) -> None:
    """Record that a guest or a machine has a volume no longer.

    Only when it is true: a snapshot of a volume that somebody still writes to would hold
    neither what was before nor what came after.

    \b
    Example:
      manila-lite volume detach disk
    """
    from manila_lite.cmd import volume_movements

    now = app.clock.now()
    found = app.write(lambda c: volume_movements.detach(c, name, attachment, now))
    show_volume(app, found["id"])


@click.command()
@click.argument("name")
@click.argument("snapshot", required=False)
@waits
@pass_app
def revert(app: App, name: str, snapshot: str | None, wait: bool, timeout: float | None) -> None:
    """Give a volume back what it held when its youngest snapshot was taken.

    What was written since is lost. SNAPSHOT may be named to be sure which one that is.

    \b
    Example:
      manila-lite volume revert disk monday --wait
    """
    from manila_lite.cmd import volume_requests

    now = app.clock.now()
    _do(app, lambda c: volume_requests.revert(c, name, snapshot, now), wait, timeout)


@click.command()
@click.argument("name")
@click.option("--image-name", type=DisplayName(), help="Name of the image; else the volume's.")
@click.option(
    "--disk-format",
    type=click.Choice(FORMATS),
    default="qcow2",
    show_default=True,
    metavar="FORMAT",
)
@waits
@pass_app
def upload(
    app: App,
    name: str,
    image_name: str | None,
    disk_format: str,
    wait: bool,
    timeout: float | None,
) -> None:
    """Make an image of what a volume holds, in the configured image service.

    \b
    Example:
      manila-lite volume upload disk --image-name golden --disk-format raw --wait
    """
    from manila_lite.cmd import volume_lookup, volume_movements
    from manila_lite.image.choice import make_service

    volume = app.read(lambda c: volume_lookup.volume(c, name))
    volume_movements.require_uploadable(volume)
    formats = {"disk_format": disk_format, "container_format": "bare"}
    wanted = {"name": image_name or volume["display_name"] or volume["name"], **formats}
    images, context, now = make_service(app.conf, app.clock), app.context(), app.clock.now()
    image = {"id": images.create(context, wanted)["id"], **formats}
    try:
        seen, sent = _send(
            app, context, lambda c: volume_movements.upload(c, volume["id"], image, now)
        )
    except Exception:
        # Nobody will bring its data.
        images.delete(context, image["id"])
        raise
    acting.after_sending(app, sent, wait, timeout)
    show_volume(app, seen, sent, image_id=image["id"])


@click.command()
@click.argument("name")
@click.argument("host")
@waits
@pass_app
def migrate(app: App, name: str, host: str, wait: bool, timeout: float | None) -> None:
    """Move a volume to another pool of its back end: HOST is host@backend#pool.

    \b
    Example:
      manila-lite volume migrate disk here@files#second --wait
    """
    from manila_lite.cmd import placement, volume_movements

    where, now = placement.checked_host(host), app.clock.now()
    _do(app, lambda c: volume_movements.migrate(c, name, where, now), wait, timeout)


def _do(app: App, request: RequestMaker, wait: bool, timeout: float | None) -> None:
    """Send a request about a volume and show what it is then."""
    seen, sent = _send(app, app.context(), request)
    acting.after_sending(app, sent, wait, timeout)
    show_volume(app, seen, sent)


def _send(app: App, context: RequestContext, request: RequestMaker) -> tuple[str, list[Sent]]:
    """Send a request about a volume; return the volume's id and what was sent."""
    from manila_lite.cmd import dispatch

    seen: list[str] = []

    def prepare(connection: Connection) -> Prepared:
        found, prepared = request(connection)
        seen[:] = [found["id"]]
        return prepared

    sent = dispatch.send(app, context, prepare)
    return seen[0], sent
