# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a volume's files, and what would put it right.

Nothing is changed here: each finding that can be mended has an action, and whoever has the
volume's lock carries it out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from manila_lite import exception
from manila_lite.volume.qcow2 import image_locks, survey
from manila_lite.volume.qcow2.chain import QCOW2, Image, ImageDirectory, ImageMissing, walk
from manila_lite.volume.qcow2.image_locks import Holder
from manila_lite.volume.qcow2.info_file import Recorded
from manila_lite.volume.qcow2.names import TEMPORARY_SNAPSHOT
from manila_lite.volume.qcow2.reconcile import ChainUnclear, by_order
from manila_lite.volume.qcow2.survey import Survey, overlays_of

# Actions.
RECORD: Final = "record"  # write what the images show into .info
REMOVE: Final = "remove"  # remove a file
DISCARD: Final = "discard"  # remove an overlay that was never used
STRAIGHTEN: Final = "straighten"  # have a header name its backing file plainly, with its format
MERGE: Final = "merge"  # delete the snapshot that a clone has left

_WORDS: Final = {
    RECORD: "write what the images show",
    REMOVE: "remove it",
    DISCARD: "remove it",
    STRAIGHTEN: "write the plain name and the format into the header",
    MERGE: "merge it into the image under it",
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """action: None where nothing can be done without knowing more. name: the file, if it is one."""

    kind: str
    name: str
    text: str
    action: str | None = None

    def shown(self, path: str) -> dict[str, Any]:
        """The finding as JSON."""
        repair = _WORDS[self.action] if self.action else None
        return {"kind": self.kind, "path": path, "text": self.text, "repair": repair}


@dataclasses.dataclass(frozen=True)
class Examination:
    """found: None where the chain is not to be made out."""

    found: Survey | None
    findings: list[Finding]


def examine(
    directory: ImageDirectory,
    recorded: Recorded,
    snapshot_ids: Sequence[str],
    *,
    attached: bool,
    errors_in: Callable[[str], int],
    holder: Callable[[str], Holder] = image_locks.holder,
) -> Examination:
    """Look at everything that a volume has on its share.

    snapshot_ids: of the database, in the order in which they were made. attached: whether a guest
    has the volume. errors_in: counts the errors of the image at a path.
    """
    images, refused = survey.look_at(directory, directory.listing()[0])
    if refused:
        return Examination(None, [Finding("refused_image", *pair) for pair in refused.items()])
    try:
        found = _survey(directory, recorded, images, snapshot_ids, holder)
    except (exception.RemoteFSException, KeyError) as error:
        return Examination(None, [Finding("chain_unclear", "", str(error))])
    checks = _Checks(found, recorded, snapshot_ids, attached, errors_in, holder)
    return Examination(found, list(checks.findings()))


def _survey(
    directory: ImageDirectory,
    recorded: Recorded,
    images: dict[str, Image],
    snapshot_ids: Sequence[str],
    holder: Callable[[str], Holder],
) -> Survey:
    has_overlays = any(image.backing for image in images.values())
    believed = recorded
    if recorded.damage or (recorded.missing and has_overlays):
        believed = guess(directory, images, snapshot_ids) or recorded
    try:
        return survey.take(directory, believed, holder=holder)
    except (ChainUnclear, ImageMissing):
        guessed = guess(directory, images, snapshot_ids)
        if guessed is None or guessed == believed:
            raise
        return survey.take(directory, guessed, holder=holder)


def guess(
    directory: ImageDirectory, images: dict[str, Image], snapshot_ids: Sequence[str]
) -> Recorded | None:
    """What ``.info`` should say, from the chains and the database's snapshots alone.

    None unless exactly one chain has an overlay for each snapshot.
    """
    resting = {image.backing for image in images.values()}
    fitting = []
    for top in sorted(set(images) - resting):
        try:
            overlays = overlays_of(tuple(walk(directory, top, images)))
        except exception.RemoteFSException:
            continue
        files = _files(directory, overlays, snapshot_ids)
        if files is not None:
            fitting.append(Recorded(active=top, files=files))
    return fitting[0] if len(fitting) == 1 else None


def _files(
    directory: ImageDirectory, overlays: Sequence[str], snapshot_ids: Sequence[str]
) -> dict[str, str] | None:
    named = {str(directory.names.snapshot_id(name)): name for name in overlays}
    return named if set(named) == set(snapshot_ids) else by_order(overlays, snapshot_ids)


@dataclasses.dataclass(frozen=True)
class _Checks:
    """All that is looked at once the chain is known."""

    found: Survey
    recorded: Recorded
    snapshot_ids: Sequence[str]
    attached: bool
    errors_in: Callable[[str], int]
    holder: Callable[[str], Holder]

    def findings(self) -> Iterator[Finding]:
        """In the order in which they are to be mended."""
        yield from self._record()
        yield from self._headers()
        yield from self._unused()
        yield from self._strays()
        yield from self._temporary()
        yield from self._snapshots()
        yield from self._damaged()

    def _record(self) -> Iterator[Finding]:
        if dataclasses.replace(self.found, recorded=self.recorded).is_recorded:
            if self.found.unfinished is not None:
                text = f"the deletion of snapshot {self.found.unfinished.snapshot_id} is unfinished"
                yield Finding("unfinished_deletion", "", text)
            return
        kind, text = "info_differs", "it does not say what the images show"
        if self.recorded.missing:
            kind, text = "info_missing", "it is missing, and there are overlays"
        elif self.recorded.damage:
            kind, text = "info_damaged", f"it cannot be read: {self.recorded.damage}"
        yield Finding(kind, "", text, RECORD)

    def _headers(self) -> Iterator[Finding]:
        for image, lower in zip(self.found.chain, self.found.chain[1:], strict=False):
            if not image.is_straight(lower.file_format):
                text = (
                    f"it names its backing file {image.backing_written!r}, of format "
                    f"{image.backing_format}: qemu may open another file, or guess the format"
                )
                action = STRAIGHTEN if self._is_free(image.name) else None
                yield Finding("backing_name", image.name, text, action)

    def _unused(self) -> Iterator[Finding]:
        for name in reversed(self.found.unused):
            snapshot_id = self.found.directory.names.snapshot_id(name)
            text = f"it was made for snapshot {snapshot_id}, and no guest uses it"
            expected = snapshot_id in self.snapshot_ids
            free = self.holder(self.found.directory.path(name)) is Holder.NOBODY
            yield Finding("unused_overlay", name, text, DISCARD if free and not expected else None)

    def _strays(self) -> Iterator[Finding]:
        for name in self._tops_first(list(self.found.strays)):
            snapshot_id = self.found.directory.names.snapshot_id(name)
            text = "it is no part of the volume's chain"
            lost = snapshot_id in self.snapshot_ids and snapshot_id not in self.found.files
            held = self.holder(self.found.directory.path(name)) is Holder.WRITER
            if held:
                text += ", and something writes to it"
            elif lost:
                text += f", and snapshot {snapshot_id} has no other image"
            yield Finding("stray_image", name, text, None if lost or held else REMOVE)

    def _tops_first(self, names: list[str]) -> Iterator[str]:
        """So that no image is removed before what rests on it."""
        while names:
            resting = {self.found.images[name].backing for name in names}
            tops = [name for name in names if name not in resting] or names[:]
            yield from tops
            names = [name for name in names if name not in tops]

    def _temporary(self) -> Iterator[Finding]:
        for name in self.found.temporary:
            yield Finding("temporary_file", name, "it was never completed", REMOVE)

    def _snapshots(self) -> Iterator[Finding]:
        for snapshot_id, name in self.found.files.items():
            if snapshot_id.startswith(TEMPORARY_SNAPSHOT):
                text = "a clone has left it behind"
                yield Finding("leftover_snapshot", name, text, None if self.attached else MERGE)
            elif snapshot_id not in self.snapshot_ids:
                text = f"it stands for snapshot {snapshot_id}, which the database does not have"
                yield Finding("unknown_snapshot", name, text)
        for snapshot_id in self.snapshot_ids:
            if snapshot_id not in self.found.files:
                yield Finding("lost_snapshot", "", f"no image stands for snapshot {snapshot_id}")

    def _damaged(self) -> Iterator[Finding]:
        for image in self.found.chain:
            if image.file_format == QCOW2 and self._is_free(image.name):
                errors = self.errors_in(self.found.directory.path(image.name))
                if errors:
                    yield Finding("damaged_image", image.name, f"qemu-img finds {errors} errors")

    def _is_free(self, name: str) -> bool:
        if self.attached:
            return False
        return self.holder(self.found.directory.path(name)) in (Holder.NOBODY, Holder.UNKNOWN)
