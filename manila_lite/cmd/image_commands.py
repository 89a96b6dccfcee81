# SPDX-License-Identifier: Apache-2.0
"""manila-lite image: the images that volumes are made from, in the configured image service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from manila_lite.cmd.app import App, pass_app
from manila_lite.cmd.options import DisplayName, Group
from manila_lite.cmd.output import Column

if TYPE_CHECKING:
    from manila_lite.image.service import ImageService, Meta

FORMATS = ("raw", "iso", "qcow2", "vmdk", "vdi", "vhd", "vhdx")
_OF_QEMU = {"vpc": "vhd"}
_COLUMNS = (
    Column("id", "Id"),
    Column("name", "Name", fold=True),
    Column("status", "Status"),
    Column("disk_format", "Format"),
    Column("size", "Bytes", right=True),
    Column("min_disk", "Min. GiB", right=True),
)
_SHOWN = (
    "id", "name", "status", "disk_format", "container_format", "size", "virtual_size", "min_disk",
    "min_ram", "os_hash_algo", "os_hash_value", "owner", "visibility", "created_at", "updated_at",
    "properties",
)  # fmt: skip


@click.group(cls=Group)
def image() -> None:
    """Add, list and remove images, in Glance or in a directory (image_service)."""


@image.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", type=DisplayName(), help="Its name; else the file's.")
@click.option(
    "--disk-format", type=click.Choice(FORMATS), metavar="FORMAT", help="Else what the file shows."
)
@click.option("--min-disk", type=click.IntRange(min=0), default=0, metavar="GIB",
              help="Smallest volume that it fits.")  # fmt: skip
@pass_app
def add(app: App, file: Path, name: str | None, disk_format: str | None, min_disk: int) -> None:
    """Put a file into the image service.

    A file that is not what is said of it, or that refers to other files, is refused.

    \b
    Examples:
      manila-lite image add debian-12.qcow2 --name debian --min-disk 2
      manila-lite volume create --size 10 --image ID --name root --wait
    """
    meta = {
        "name": name or file.name,
        "disk_format": _inspected(file, disk_format),
        "container_format": "bare",
        "min_disk": min_disk,
    }
    with file.open("rb") as data:
        created = _service(app).create(app.context(), meta, data)
    _show(app, created)


@image.command("list")
@pass_app
def list_images(app: App) -> None:
    """List images.

    \b
    Example:
      manila-lite --json image list
    """
    found = _service(app).detail(app.context())
    shown = [{key: meta.get(key) for key in _SHOWN} for meta in found]
    app.output.rows(sorted(shown, key=lambda meta: str(meta["name"])), _COLUMNS, "No images.")


@image.command()
@click.argument("image_id", metavar="ID")
@pass_app
def show(app: App, image_id: str) -> None:
    """Show an image.

    \b
    Example:
      manila-lite image show debian-12
    """
    _show(app, _service(app).show(app.context(), image_id))


@image.command()
@click.argument("image_id", metavar="ID")
@click.argument("file", type=click.File("xb"))
@pass_app
def save(app: App, image_id: str, file: BinaryIO) -> None:
    """Write an image to a new file, once its digest is found to be right.

    \b
    Example:
      manila-lite image save ID golden.qcow2
    """
    try:
        _service(app).download(app.context(), image_id, file)
    except BaseException:
        Path(file.name).unlink(missing_ok=True)
        raise


@image.command()
@click.argument("image_id", metavar="ID")
@pass_app
def delete(app: App, image_id: str) -> None:
    """Remove an image; volumes that were made from it stay.

    \b
    Example:
      manila-lite image delete ID
    """
    _service(app).delete(app.context(), image_id)
    app.output.say(f"Image {image_id} is deleted.")


def _service(app: App) -> ImageService:
    from manila_lite.image.choice import make_service

    return make_service(app.conf, app.clock)


def _inspected(file: Path, disk_format: str | None) -> str:
    """The format, by Glance's name, of a file that is safe."""
    from manila_lite.volume.qcow2 import foreign

    found = foreign.inspect(str(file), file.name, disk_format)
    return disk_format or _OF_QEMU.get(found.file_format, found.file_format)


def _show(app: App, meta: Meta) -> None:
    shown: dict[str, Any] = {key: meta.get(key) for key in _SHOWN}
    app.output.record(shown)
