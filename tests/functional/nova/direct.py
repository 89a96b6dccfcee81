# SPDX-License-Identifier: Apache-2.0
"""A driver within the test's own process, and a volume of it that a guest has: no service."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from manila_lite import compute, exception
from manila_lite.clock import SystemClock
from manila_lite.conf import load
from manila_lite.db.records import Record
from manila_lite.volume.configuration import Configuration
from manila_lite.volume.drivers.localfs import LocalFsDriver
from tests.functional.nova.guest import Guest
from tests.functional.nova.listener import VolumeApi
from tests.functional.nova.nova import Nova
from tests.functional.nova.qmp import JobFailed

_HOST = "node@alpha"
_CONFIGURATION = """\
[DEFAULT]
enabled_volume_backends = alpha
host = node
state_path = {state}
[nova]
auth_type = none
endpoint_override = {nova}
[alpha]
volume_driver = localfs
volume_backend_name = alpha
localfs_volume_dir = {volumes}
localfs_qcow2_volumes = {qcow2}
"""


class HastyClock(SystemClock):
    """Waits for Nova; once that is idle each wait is over at once, and counts thirtyfold."""

    def __init__(self, nova: Nova) -> None:
        self._nova = nova
        self._skipped = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        if self._nova.busy:
            return event.wait(0.05)
        self._skipped += 30 * (timeout or 0.0)
        return event.is_set()


class Rows:
    """The snapshots as the volume API has them; Nova's callbacks change them.

    It is the driver's whole database, too.
    """

    def __init__(self, api: VolumeApi) -> None:
        self._api = api
        self._made: dict[str, Record] = {}

    def add(self, snapshot: Record) -> Record:
        self._made[snapshot["id"]] = snapshot
        return snapshot

    def snapshot_get(self, context: Any, snapshot_id: str) -> Record:
        if snapshot_id not in self._made:
            raise exception.SnapshotNotFound(snapshot_id=snapshot_id)
        snapshot = self._made[snapshot_id]
        for _, spoken_of, said in self._api.posts()[self._heard(snapshot) :]:
            if spoken_of == snapshot_id:
                snapshot.update(said)
        return snapshot

    @staticmethod
    def _heard(snapshot: Record) -> int:
        heard: int = snapshot["heard"]
        return heard

    def turn(self, snapshot: Record, status: str) -> Record:
        """Give it a status and forget what Nova said so far, as who asks Nova does."""
        snapshot.update(status=status, progress="0%", heard=len(self._api.posts()))
        return snapshot


class Direct:
    """One volume. driver: may also be told to do it all by itself, and then blocks."""

    def __init__(self, directory: Path, nova: Nova, api: VolumeApi, image_format: str) -> None:
        nova.volume_api = api.url
        volumes = directory / "volumes"
        volumes.mkdir()
        file = directory / "driver.conf"
        file.write_text(
            _CONFIGURATION.format(
                state=directory, nova=nova.url, volumes=volumes, qcow2=image_format == "qcow2"
            )
        )
        conf = load.load(["--config-file", str(file)])
        self.rows = Rows(api)
        self.driver = LocalFsDriver(
            configuration=Configuration([], config_group="alpha", conf=conf),
            db=self.rows, host=_HOST, clock=HastyClock(nova), nova=compute.from_conf(conf),
        )  # fmt: skip
        self.driver.do_setup(None)
        self.driver.check_for_setup_error()
        self.volume = self._new_volume(volumes)
        self.volume.update(self.driver.create_volume(self.volume))
        self.volume.update(status="in-use", attach_status="attached")
        self.path = volumes / self.volume["name"]
        self.guest = Guest(self.path, image_format, seed=7)
        nova.attach(self.volume["id"], self.guest)

    @staticmethod
    def _new_volume(volumes: Path) -> Record:
        volume_id = str(uuid.uuid4())
        return Record(
            id=volume_id, _name_id=None, name_id=volume_id, name=f"volume-{volume_id}", size=1,
            status="creating", attach_status="detached", host=f"{_HOST}#{volumes}", pool=None,
            provider_location=None, provider_id=None, display_name=None, display_description=None,
            metadata={}, admin_metadata={}, volume_type=None, volume_type_id=None,
            encryption_key_id=None, snapshot_id=None, source_volid=None, bootable=False,
            multiattach=False, migration_status=None, availability_zone=None, project_id="project",
            user_id="user", volume_attachment=[], volume_glance_metadata={}, created_at=None,
        )  # fmt: skip

    def new_snapshot(self) -> Record:
        """A snapshot that is being created."""
        snapshot_id = str(uuid.uuid4())
        return self.rows.turn(
            self.rows.add(
                Record(
                    id=snapshot_id, name=f"snapshot-{snapshot_id}", volume_id=self.volume["id"],
                    volume=self.volume, volume_name=self.volume["name"], volume_size=1,
                    provider_location=None, metadata={}, display_name=None, project_id="project",
                    user_id="user", _context=None,
                )
            ),
            "creating",
        )  # fmt: skip

    def deleting(self, snapshot: Record) -> Record:
        return self.rows.turn(snapshot, "deleting")

    def take(self) -> Record:
        """A snapshot, taken in phases as the service does it."""
        snapshot = self.new_snapshot()
        info = self.driver.prepare_online_snapshot(snapshot)
        self.guest.snapshot(info["new_file"], snapshot["id"])
        self.driver.complete_online_snapshot(snapshot)
        return self.rows.turn(snapshot, "available")

    def try_to_merge(self, plan: dict[str, Any]) -> None:
        """As merge, where the job may be cancelled."""
        with contextlib.suppress(JobFailed):
            self.merge(plan)

    def merge(self, plan: dict[str, Any]) -> None:
        """What Nova would do for a deletion."""
        info = plan["delete_info"]
        if info["merge_target_file"] is None:
            self.guest.pull(info["file_to_merge"])
        else:
            self.guest.commit(info["file_to_merge"], info["merge_target_file"])
