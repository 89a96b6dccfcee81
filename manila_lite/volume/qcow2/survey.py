# SPDX-License-Identifier: Apache-2.0
"""All files of one volume, looked at together: the chain, the record, and what is left over."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from manila_lite import exception
from manila_lite.volume.qcow2 import header, image_locks, info_file
from manila_lite.volume.qcow2.active import Choice
from manila_lite.volume.qcow2.chain import Image, ImageDirectory, walk
from manila_lite.volume.qcow2.image_locks import Holder
from manila_lite.volume.qcow2.info_file import Recorded, Unfinished
from manila_lite.volume.qcow2.reconcile import reconcile


@dataclasses.dataclass(frozen=True)
class Position:
    """Where a snapshot's overlay stands. ``base`` holds the snapshot's data.

    higher: the image over the overlay; None where the overlay is the active image. base_id: the
    snapshot for which the base stands; None where it is the lowest image of the chain.
    """

    snapshot_id: str
    overlay: Image
    base: Image
    higher: Image | None
    active: str
    base_id: str | None


@dataclasses.dataclass(frozen=True)
class Survey:
    """What was found. chain: the active image first. files: snapshot id to overlay, as mended.

    unused: overlays over the active image, made for snapshots that have not come about. strays:
    other images that are not part of the chain. gone and found: see `reconcile`.
    """

    directory: ImageDirectory
    recorded: Recorded
    images: Mapping[str, Image]
    chain: tuple[Image, ...]
    files: Mapping[str, str]
    gone: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()
    temporary: tuple[str, ...] = ()

    @property
    def active(self) -> str:
        """The name of the active image."""
        return self.chain[0].name

    @property
    def overlays(self) -> list[str]:
        """Images of the chain that have a backing file, lowest first."""
        return overlays_of(self.chain)

    @property
    def unfinished(self) -> Unfinished | None:
        """A recorded deletion that may still be going on: its snapshot is still there."""
        unfinished = self.recorded.unfinished
        return unfinished if unfinished and unfinished.snapshot_id in self.files else None

    @property
    def leftover(self) -> str | None:
        """An image that a recorded deletion has merged and not removed yet.

        Nova may have merged it when nobody waited any more: the chain tells, which does without
        the image, and without an overlay for the snapshot.
        """
        unfinished = self.recorded.unfinished
        if unfinished is None or unfinished.file not in self.strays:
            return None
        is_merged = unfinished.merged or unfinished.snapshot_id not in self.files
        return unfinished.file if is_merged and not self.is_needed(unfinished.file) else None

    @property
    def is_recorded(self) -> bool:
        """Whether the record says just what the chain shows."""
        if self.recorded.missing:
            return not self.files and not self.directory.names.is_overlay(self.active)
        recorded = self.recorded
        if recorded.damage is not None or recorded.active is None:
            return False
        says = info_file.content(recorded.active, recorded.files, recorded.unfinished)
        return says == self.content()

    def content(self) -> dict[str, Any]:
        """What the ``.info`` file ought to hold."""
        return info_file.content(self.active, self.files, self.unfinished)

    def position(self, snapshot_id: str) -> Position:
        """Where the snapshot's overlay stands; KeyError for one that the chain does not have."""
        name = self.files[snapshot_id]
        index = next(i for i, image in enumerate(self.chain) if image.name == name)
        base = self.chain[index + 1]
        base_ids = [i for i, file in self.files.items() if file == base.name]
        return Position(
            snapshot_id=snapshot_id,
            overlay=self.chain[index],
            base=base,
            higher=self.chain[index - 1] if index else None,
            active=self.active,
            base_id=base_ids[0] if base_ids else None,
        )

    def is_needed(self, name: str) -> bool:
        """Whether the chain, or any other image of the volume, rests on the named one."""
        in_chain = any(image.name == name for image in self.chain)
        return in_chain or any(image.backing == name for image in self.images.values())


def take(
    directory: ImageDirectory,
    recorded: Recorded,
    *,
    deleting: str | None = None,
    holder: Callable[[str], Holder] = image_locks.holder,
    has_data: Callable[[str], bool] | None = None,
) -> Survey:
    """Look at a volume's files. Nothing is changed; the caller keeps others from changing them.

    deleting: the snapshot whose deletion is under way. Raises BackingFileRefused, ImageMissing
    and ChainUnclear where the chain cannot be trusted.
    """
    names, temporary = directory.listing()
    images, refused = look_at(directory, names)
    for name in refused:
        # Once more, for the error itself: what cannot be looked at could be part of the chain.
        directory.image(name, _format_above(images, name))
    choice = Choice(
        images,
        recorded,
        directory.names.volume_name,
        _base_name(directory, names),
        lambda name: holder(directory.path(name)),
        lambda name: (has_data or has_any_data)(directory.path(name)),
    )
    chain = tuple(walk(directory, choice.active(), images))
    mended = reconcile(recorded, overlays_of(chain), directory.names, deleting)
    used = {image.name for image in chain}
    unused = choice.above(chain[0].name)
    return Survey(
        directory=directory,
        recorded=recorded,
        images=images,
        chain=chain,
        files=mended.files,
        gone=mended.gone,
        found=mended.found,
        unused=tuple(unused),
        strays=tuple(name for name in images if name not in used and name not in unused),
        temporary=tuple(temporary),
    )


def overlays_of(chain: tuple[Image, ...]) -> list[str]:
    """Names of the images that have a backing file, lowest first; the active image comes first."""
    return [image.name for image in reversed(chain) if image.backing is not None]


def has_any_data(path: str) -> bool:
    """Whether an overlay was ever written to; True where that cannot be found out."""
    try:
        return header.has_data(path)
    except (PermissionError, header.HeaderDamaged):
        return True


def look_at(directory: ImageDirectory, names: list[str]) -> tuple[dict[str, Image], dict[str, str]]:
    """Look at each image by itself: what was found, and why others must not be opened."""
    images: dict[str, Image] = {}
    refused: dict[str, str] = {}
    # Overlays first: they record the format of their base.
    for name in sorted(names, key=directory.names.is_overlay, reverse=True):
        try:
            images[name] = directory.image(name, _format_above(images, name))
        except exception.BackingFileRefused as error:
            refused[name] = str(error)
        except FileNotFoundError:
            continue
    return images, refused


def _format_above(images: Mapping[str, Image], name: str) -> str | None:
    formats = {image.backing_format for image in images.values() if image.backing == name}
    formats.discard(None)
    return formats.pop() if len(formats) == 1 else None


def _base_name(directory: ImageDirectory, names: list[str]) -> str:
    """The base image's name; with an extension, where the driver's images have one."""
    bases = [name for name in names if not directory.names.is_overlay(name)]
    return bases[0] if len(bases) == 1 else directory.names.volume_name
