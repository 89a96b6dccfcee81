# SPDX-License-Identifier: Apache-2.0
"""A state machine of volumes with real images, and an oracle that knows their bytes.

Hypothesis chooses what happens to the volumes of a LocalFsDriver: a guest writes, snapshots come
and go, volumes are cloned, extended, reverted, moved, copied from and to images; and the driver
dies at any command or at any change of a file, and another one does it again, as the engine has
it done; or nobody does, and the volume goes on with what was left. After every step:

* each volume, snapshot and image shows exactly the bytes that the oracle knows;
* the chain on disk is what `.info` says, but where something was given up half-way;
* there is no file that nobody needs.

The bytes are read from the files without qemu; qemu-img gives a second opinion at the end of each
example. Run with --hypothesis-profile=soak for a longer search.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import initialize, rule

from manila_lite import exception
from tests.model import volume_checks as checks
from tests.model.volume_contents import GIB, UNIT, Contents, tag_of
from tests.model.volume_guest import Write
from tests.model.volume_headers import hostile_header
from tests.model.volume_world import HOST, KINDS, Snapshot, Volume, VolumeWorld

MOST_VOLUMES = 4
MOST_SNAPSHOTS = 6
#: GiB.
LARGEST = 4

# Places within a GiB where writes begin, in units of 4 KiB: the ends, and around clusters.
PLACES = (0, 3, 15, 16, 40, 131072, 262144 - 17, 262144 - 1)
UNITS_PER_GIB = GIB // UNIT

# What becomes of an operation during which the driver died.
REPEATED, UNDONE, LEFT = "repeated", "undone", "left"

picks = st.integers(min_value=0, max_value=20)
sizes = st.integers(min_value=1, max_value=2)
more = st.integers(min_value=0, max_value=1)
pools = st.integers(min_value=0, max_value=1)
one_moment = st.integers(min_value=0, max_value=999)
deaths = st.lists(one_moment, min_size=1, max_size=2).map(list)
moments = st.one_of(st.just([]), st.just([]), deaths)
fates = st.sampled_from([REPEATED, REPEATED, UNDONE, LEFT])
writes = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=LARGEST - 1),
        st.sampled_from(PLACES),
        st.integers(min_value=1, max_value=24),
        st.sampled_from([True, True, True, False]),
    ),
    min_size=1,
    max_size=4,
)


def _turn(name: str, weight: int, **arguments: Any) -> list[Any]:
    return [st.tuples(st.just(name), st.fixed_dictionaries(arguments))] * weight


turns = st.one_of(
    *_turn("guest_writes", 10, pick=picks, places=writes),
    *_turn("guest_writes_a_header", 1, pick=picks),
    *_turn("volume_is_created", 1, pool=pools, size=sizes, dying=moments, fate=fates),
    *_turn("snapshot_is_taken", 8, pick=picks, dying=moments, fate=fates),
    *_turn("snapshot_is_deleted", 6, pick=picks, which=picks, dying=moments, fate=fates),
    *_turn("volume_is_cloned", 2, pick=picks, pool=pools, more=more, dying=moments, fate=fates),
    *_turn(
        "volume_is_made_of_a_snapshot",
        2,
        pick=picks,
        which=picks,
        pool=pools,
        more=more,
        dying=moments,
        fate=fates,
    ),
    *_turn("volume_is_extended", 3, pick=picks, dying=moments),
    *_turn("volume_is_reverted", 3, pick=picks, dying=moments),
    *_turn("volume_is_moved", 4, pick=picks, dying=deaths, fate=fates, places=writes),
    *_turn(
        "volume_is_uploaded",
        1,
        pick=picks,
        disk_format=st.sampled_from(["qcow2", "qcow2", "raw"]),
        dying=moments,
    ),
    *_turn("volume_is_made_of_an_image", 1, pick=picks, pool=pools, more=more, dying=moments),
    *_turn("volume_is_deleted", 2, pick=picks, dying=moments),
    *_turn("volume_is_looked_at", 2, pick=picks),
    *_turn("volume_is_repaired", 2, pick=picks, dying=moments),
    *_turn("service_starts_anew", 1, kind=st.sampled_from(sorted(KINDS))),
)


class VolumeMachine(VolumeWorld):
    """See the module."""

    steps = 0

    # -- turns -----------------------------------------------------------------------------------

    @initialize(kind=st.sampled_from(sorted(KINDS)), pool=pools, size=sizes)
    def back_end_starts(self, kind: str, pool: int, size: int) -> None:
        self.begin(kind)
        self.volume_is_created(pool, size, [], REPEATED)
        checks.check_all(self)

    @rule(turn=turns)
    def next(self, turn: tuple[str, dict[str, Any]]) -> None:
        """One rule for all: hypothesis leaves rules out at random, and these need each other."""
        name, arguments = turn
        getattr(self, name)(**arguments)
        checks.check_all(self)
        type(self).steps += 1

    def guest_writes(self, pick: int, places: list[tuple[int, int, int, bool]]) -> None:
        volume = self._pick(pick)
        new = [self._write(volume, *place) for place in places]
        self.guest.write(*checks.active_image(self, volume), new)
        for write in new:
            volume.contents = write.on(volume.contents)

    def _write(self, volume: Volume, gib: int, place: int, count: int, data: bool) -> Write:
        first = (gib % volume.size) * UNITS_PER_GIB + place
        count = min(count, volume.contents.length - first)
        return Write(first, count, self.new_tag() if data else None)

    def guest_writes_a_header(self, pick: int) -> None:
        """A guest makes its raw disk look like an image with a backing file of the host's."""
        volume = self._pick(pick)
        data = hostile_header(volume.contents.size)
        self.guest.write_bytes(*checks.active_image(self, volume), data)
        volume.contents = volume.contents.written(0, 1, tag_of(data))

    def volume_is_created(self, pool: int, size: int, dying: list[int], fate: str) -> None:
        if self._has_room():
            volume = Volume(self.new_id(), Contents(size * GIB), self.shares[pool])
            self._make("create", volume, self._creation(volume), dying, fate)

    def snapshot_is_taken(self, pick: int, dying: list[int], fate: str) -> None:
        volume = self._pick(pick)
        if len(volume.snapshots) >= MOST_SNAPSHOTS:
            return
        snapshot = Snapshot(self.new_id(), volume.contents)
        if fate == REPEATED:
            self.carry_out("snapshot", dying, self._taking(volume, snapshot))
        elif self.died_in("snapshot", dying, self._taking(volume, snapshot)):
            # It is in error now, and can only be deleted.
            snapshot.doomed = True
        volume.snapshots.append(snapshot)
        if snapshot.doomed and fate == UNDONE:
            self._delete(volume, snapshot, [])

    def snapshot_is_deleted(self, pick: int, which: int, dying: list[int], fate: str) -> None:
        volume = self._pick(pick)
        if not volume.snapshots:
            return
        snapshot = volume.snapshots[which % len(volume.snapshots)]
        if fate != LEFT:
            self._delete(volume, snapshot, dying)
        elif self.died_in(
            self._deletion_of(volume, snapshot), dying, self._deletion(volume, snapshot)
        ):
            snapshot.doomed = True
        else:
            volume.snapshots.remove(snapshot)

    def volume_is_cloned(
        self, pick: int, pool: int, more: int, dying: list[int], fate: str
    ) -> None:
        source = self._pick(pick)
        if not self._has_room(source.size + more):
            return
        volume = Volume(
            self.new_id(), source.contents.resized((source.size + more) * GIB), self.shares[pool]
        )
        made = self._make(
            "clone",
            volume,
            lambda driver: driver.create_cloned_volume(
                self.row(volume, "creating", source_volid=source.id), self.row(source)
            ),
            dying,
            fate,
        )
        source.leftover |= not made

    def volume_is_made_of_a_snapshot(
        self, pick: int, which: int, pool: int, more: int, dying: list[int], fate: str
    ) -> None:
        source = self._pick(pick)
        if not source.sound_snapshots:
            return
        snapshot = source.sound_snapshots[which % len(source.sound_snapshots)]
        size = snapshot.contents.size + more * GIB
        if not self._has_room(size // GIB):
            return
        volume = Volume(self.new_id(), snapshot.contents.resized(size), self.shares[pool])
        self._make(
            "from snapshot",
            volume,
            lambda driver: driver.create_volume_from_snapshot(
                self.row(volume, "creating", snapshot_id=snapshot.id),
                self.snapshot_row(source, snapshot),
            ),
            dying,
            fate,
        )

    def volume_is_extended(self, pick: int, dying: list[int]) -> None:
        volume = self._pick(pick)
        if volume.size >= LARGEST:
            return
        size = volume.size + 1
        self.carry_out("extend", dying, lambda driver: driver.extend_volume(self.row(volume), size))
        volume.contents = volume.contents.resized(size * GIB)

    def volume_is_reverted(self, pick: int, dying: list[int]) -> None:
        volume = self._pick(pick)
        if not volume.snapshots or volume.snapshots[-1].doomed:
            return
        snapshot = volume.snapshots[-1]
        self.carry_out(
            "revert",
            dying,
            lambda driver: driver.revert_to_snapshot(
                None,
                self.row(volume, "reverting"),
                self.snapshot_row(volume, snapshot, "restoring", "reverting"),
            ),
        )
        # A volume keeps its size; what was not there yet shows zeros.
        volume.contents = snapshot.contents.resized(volume.contents.size)

    def volume_is_moved(
        self, pick: int, dying: list[int], fate: str, places: list[tuple[int, int, int, bool]]
    ) -> None:
        volume = self._pick(pick)
        if volume.untidy:
            return
        pool = next(share for share in self.shares if share != volume.pool)
        host = {"host": f"{HOST}#{pool}", "capabilities": {}}

        def move(driver: Any) -> Any:
            return driver.migrate_volume(None, self.row(volume), host)

        if fate != REPEATED and self.died_in("move", dying, move):
            self._use_where_it_was(volume, places)
            dying = []
        moved, update = self.carry_out("move", dying, move)
        assert moved
        volume.columns |= update
        volume.pool = pool

    def _use_where_it_was(self, volume: Volume, places: list[tuple[int, int, int, bool]]) -> None:
        """A guest writes to a volume whose move was abandoned, where the driver lets it."""
        try:
            data = self.driver.initialize_connection(self.row(volume), {})["data"]
        except exception.ManilaException:
            return
        new = [self._write(volume, *place) for place in places]
        self.guest.write(volume.directory / data["name"], data["format"], new)
        for write in new:
            volume.contents = write.on(volume.contents)

    def volume_is_uploaded(self, pick: int, disk_format: str, dying: list[int]) -> None:
        volume = self._pick(pick)
        image = {"disk_format": disk_format, "container_format": "bare"}
        image["id"] = image_id = self.shelf.create(None, image)["id"]

        def upload(driver: Any) -> None:
            # The flow asks first whether the image is complete.
            if self.shelf.show(None, image_id)["status"] == "queued":
                driver.copy_volume_to_image(None, self.row(volume), self.shelf, image)

        self.carry_out("upload", dying, upload)
        self.shelved[image_id] = volume.contents
        if len(self.shelved) > MOST_VOLUMES:
            oldest = next(iter(self.shelved))
            del self.shelved[oldest]
            self.shelf.delete(None, oldest)

    def volume_is_made_of_an_image(self, pick: int, pool: int, more: int, dying: list[int]) -> None:
        if not self.shelved:
            return
        image_id = list(self.shelved)[pick % len(self.shelved)]
        contents = self.shelved[image_id]
        contents = contents.resized(contents.size + more * GIB)
        if not self._has_room(contents.size // GIB):
            return
        volume = Volume(self.new_id(), contents, self.shares[pool])
        volume.columns = self.carry_out("create", [], self._creation(volume))

        def download(driver: Any) -> None:
            driver.copy_image_to_volume(None, self.row(volume, "downloading"), self.shelf, image_id)

        if self._looks_like_something_else(image_id):
            with pytest.raises(exception.ImageUnacceptable):
                self.carry_out("download", [], download)
            self._remove(volume, [])
            return
        self.carry_out("download", dying, download)
        self.volumes.append(volume)

    def _looks_like_something_else(self, image_id: str) -> bool:
        """Whether a raw image begins as the guest of its volume has made it: as a qcow2 one."""
        contents = self.shelved[image_id]
        header = tag_of(hostile_header(contents.size))
        first = contents.units.get(0)
        raw = checks.shelf_format(self, image_id) == "raw"
        return raw and first is not None and len(first) == len(header)

    def volume_is_deleted(self, pick: int, dying: list[int]) -> None:
        free = [volume for volume in self.volumes if not volume.snapshots]
        if free:
            self._delete_volume(free[pick % len(free)], dying)

    def volume_is_looked_at(self, pick: int) -> None:
        volume = self._pick(pick)
        if not volume.untidy:
            checks.check_driver_finds_nothing(self, volume)

    def volume_is_repaired(self, pick: int, dying: list[int]) -> None:
        """One that needs it, where there is one."""
        volumes = [volume for volume in self.volumes if volume.untidy] or self.volumes
        if volumes:
            self._repair(volumes[pick % len(volumes)], dying)

    def _repair(self, volume: Volume, dying: list[int]) -> None:
        ids = [snapshot.id for snapshot in volume.snapshots]
        self.carry_out(
            "repair",
            dying,
            lambda driver: driver.repair_volume(self.row(volume), ids, dry_run=False),
        )
        volume.leftover = False
        if not volume.untidy:
            checks.check_driver_finds_nothing(self, volume)

    def service_starts_anew(self, kind: str) -> None:
        """With other options: new volumes are of another kind, and old ones stay what they are."""
        self.kind = kind
        self.start_driver()

    # -- what turns have in common ---------------------------------------------------------------

    def _pick(self, pick: int) -> Volume:
        """A volume; a new one where there is none."""
        if not self.volumes:
            self.volume_is_created(pick % len(self.shares), 1, [], REPEATED)
        return self.volumes[pick % len(self.volumes)]

    def _has_room(self, size: int = 1) -> bool:
        return len(self.volumes) < MOST_VOLUMES and size <= LARGEST

    def _creation(self, volume: Volume) -> Callable[[Any], Any]:
        return lambda driver: driver.create_volume(self.row(volume, "creating"))

    def _taking(self, volume: Volume, snapshot: Snapshot) -> Callable[[Any], Any]:
        return lambda driver: driver.create_snapshot(
            self.snapshot_row(volume, snapshot, "creating")
        )

    def _deletion(self, volume: Volume, snapshot: Snapshot) -> Callable[[Any], Any]:
        return lambda driver: driver.delete_snapshot(
            self.snapshot_row(volume, snapshot, "deleting")
        )

    def _deletion_of(self, volume: Volume, snapshot: Snapshot) -> str:
        return "merge the active" if snapshot is volume.snapshots[-1] else "merge another"

    def _make(
        self, kind: str, volume: Volume, call: Callable[[Any], Any], dying: list[int], fate: str
    ) -> bool:
        """Carry out a creation; whether it came to its end."""

        def discard(driver: Any) -> None:
            driver.discard_unfinished_volume(self.row(volume, "creating"))

        if fate == REPEATED:
            volume.columns = dict(self.carry_out(kind, dying, call, discard))
        else:
            answers: list[Any] = []
            if self.died_in(kind, dying, lambda driver: answers.append(call(driver))):
                self.carry_out("discard", [], discard)
                return False
            volume.columns = dict(answers[0])
        self.volumes.append(volume)
        return True

    def _delete(self, volume: Volume, snapshot: Snapshot, dying: list[int]) -> None:
        kind = self._deletion_of(volume, snapshot)
        self.carry_out(kind, dying, self._deletion(volume, snapshot))
        volume.snapshots.remove(snapshot)

    def _delete_volume(self, volume: Volume, dying: list[int]) -> None:
        self._remove(volume, dying)
        self.volumes.remove(volume)

    def _remove(self, volume: Volume, dying: list[int]) -> None:
        self.carry_out(
            "remove",
            dying,
            lambda driver: driver.delete_volume(self.row(volume, "deleting")),
        )

    # -- the end ---------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self._check_the_end()
        finally:
            self.end()

    def _check_the_end(self) -> None:
        """Everything is looked at by others, and can be deleted without a trace."""
        for volume in self.volumes:
            if volume.untidy:
                self._repair(volume, [])
            for snapshot in [snapshot for snapshot in volume.snapshots if snapshot.doomed]:
                self._delete(volume, snapshot, [])
            checks.check_all(self)
            checks.check_with_qemu(self, volume)
            checks.check_driver_finds_nothing(self, volume)
        for volume in list(self.volumes):
            for snapshot in itertools.chain(volume.snapshots[1::2], volume.snapshots[::2]):
                self._delete(volume, snapshot, [])
                checks.check_all(self)
            self._delete_volume(volume, [])
        checks.check_strays(self)


VolumeMachine.TestCase.settings = settings(
    settings.default,
    max_examples=max(40, settings.default.max_examples // 6),
    stateful_step_count=60,
)


@pytest.mark.timeout(24 * 3600)
class TestVolumeModel(VolumeMachine.TestCase):
    """The number of steps bounds the time; a busy machine is no failure."""


def test_the_search_was_long_enough() -> None:
    if VolumeMachine.steps == 0:
        pytest.skip("the search was not run")
    assert VolumeMachine.steps >= 2000
