# SPDX-License-Identifier: Apache-2.0
"""A small site: the volume service as a process, a Nova, and volumes that guests hold.

It has no broker: what the volume API would cast is written into the service's journal.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import socket
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from manila_lite import volume_states as states
from manila_lite.clock import SystemClock
from manila_lite.context import RequestContext
from manila_lite.db import (
    models,
    volume_attachments,
    volume_changes,
    volume_creation,
    volume_snapshots,
    volumes,
)
from manila_lite.db.records import Record
from manila_lite.db.writes import Write, execute_writes
from manila_lite.engine.journal import Journal, NewOperation
from manila_lite.volume import flows
from tests.fixtures.daemon import VolumeDaemon, poll
from tests.functional.nova.guest import Guest
from tests.functional.nova.nova import NONE, Nova

SIZE = 1  # GiB of each volume; the files are sparse
TOKEN = "a-token-of-the-tests"
_ROOT = Path(__file__).parents[3]

#: Nobody waits for a timer that a test can have sooner.
EAGER = {"lease_seconds": 2, "poll_interval": 0.05, "sweep_interval": 0.2}


@dataclasses.dataclass(frozen=True)
class Volume:
    """A volume of the site, and the path of its own file."""

    id: str
    path: Path


def free_port() -> int:
    """A port of the loopback address that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def running_site(
    directory: Path, image_format: str, *, seconds_for_nova: int = 6
) -> Iterator[Site]:
    """A site whose service runs. seconds_for_nova: how long the service waits for Nova's answer."""
    volumes_directory = directory / "volumes"
    volumes_directory.mkdir()
    nova = Nova(token=TOKEN)
    port = free_port()
    nova.volume_api = f"http://127.0.0.1:{port}"
    daemon = VolumeDaemon(
        directory,
        f"sqlite:///{directory}/database.sqlite",
        default={
            "nova_snapshot_create_timeout": seconds_for_nova,
            "nova_snapshot_delete_timeout": seconds_for_nova,
        },
        ours=EAGER,
        backend={
            "localfs_volume_dir": volumes_directory,
            "localfs_qcow2_volumes": image_format == "qcow2",
        },
        sections={
            "nova": {"auth_type": "none", "endpoint_override": nova.url},
            "callback": {"enabled": True, "listen_port": port, "token": TOKEN},
        },
    )
    site = Site(daemon, nova, volumes_directory, image_format)
    try:
        site.start()
        daemon.wait_ready()
        yield site
    finally:
        site.calm()
        daemon.close()
        nova.close()


class Site:
    """What users and Nova's users do, as rows and operations."""

    def __init__(
        self, daemon: VolumeDaemon, nova: Nova, directory: Path, image_format: str
    ) -> None:
        self.daemon = daemon
        self.nova = nova
        self.directory = directory
        self.image_format = image_format
        self.guests: dict[str, Guest] = {}
        self._database = daemon.database
        self._clock = SystemClock()
        self._seeds = itertools.count(1)
        self._attachments: dict[str, str] = {}
        context = RequestContext(project_id=nova.project_id, user_id="user", is_admin=True)
        self._context = context.to_journal()

    # -- the service ---------------------------------------------------------------------------

    def start(self, **environment: str) -> None:
        self.daemon.start(PYTHONPATH=str(_ROOT), **environment)

    def calm(self) -> None:
        """Nothing goes wrong any more, and the guests are gone, in whatever state they are."""
        self.nova.troubles = lambda kind, snapshot_id: NONE
        while self.guests:
            volume_id, guest = self.guests.popitem()
            self.nova.detach(volume_id)
            if guest.running:
                guest.kill()
        if self.daemon.process is None:
            self.start()

    # -- as users do ---------------------------------------------------------------------------

    def create_volume(self) -> Volume:
        """Make a volume and wait until it is there."""
        made = self._database.run(
            lambda connection: volume_creation.new_volume(
                connection, self._clock.now(), host=f"{self.daemon.host}#{self.directory}",
                size=SIZE, project_id=self.nova.project_id, user_id="user",
            )
        )  # fmt: skip
        self.succeed("create_volume", volume_id=made["volume_id"])
        volume = self.volume(made["volume_id"])
        return Volume(volume["id"], self.directory / volume["name"])

    def attach(self, volume: Volume, **options: Any) -> Guest:
        """Start a guest that has the volume, and let Nova know it."""
        self.note_attached(volume)
        guest = Guest(volume.path, self.image_format, seed=next(self._seeds), **options)
        guest.start()
        self.guests[volume.id] = guest
        self.nova.attach(volume.id, guest)
        return guest

    def detach(self, volume: Volume) -> Guest:
        """Stop the guest in good order; what it wrote is in the files."""
        guest = self.guests.pop(volume.id)
        self.nova.detach(volume.id)
        guest.stop()
        self.note_detached(volume)
        return guest

    def note_attached(self, volume: Volume) -> None:
        """Say in the rows that an instance has the volume."""
        attachment_id = self._attachments[volume.id] = str(uuid.uuid4())
        self._write(
            volume_attachments.attached(
                self.volume(volume.id), attachment_id, self._clock.now(),
                attached_host="compute", instance_uuid=str(uuid.uuid4()), mountpoint="/dev/vdb",
            )
        )  # fmt: skip

    def note_detached(self, volume: Volume) -> None:
        """Say in the rows that nobody has the volume."""
        attachment_id = self._attachments.pop(volume.id)
        self._write(volume_attachments.detached(volume.id, attachment_id, self._clock.now()))

    def ask_snapshot(self, volume: Volume) -> tuple[str, str]:
        """Ask for a snapshot; return its id and the operation's."""
        made = self._database.run(
            lambda connection: volume_creation.new_snapshot(
                connection, self._clock.now(), self.volume(volume.id)
            )
        )
        snapshot_id: str = made["snapshot_id"]
        return snapshot_id, self.cast("create_snapshot", snapshot_id=snapshot_id)

    def ask_deletion(self, snapshot_id: str) -> str:
        """Ask for the deletion of a snapshot; return the operation's id."""
        table = models.snapshots
        self._write(
            [Write(table.update().where(table.c.id == snapshot_id).values(status=states.DELETING))]
        )
        return self.cast("delete_snapshot", snapshot_id=snapshot_id)

    def snapshot(self, volume: Volume) -> str:
        """Take a snapshot and wait until it is available; return its id."""
        snapshot_id, operation = self.ask_snapshot(volume)
        self.wait_succeeded(operation)
        assert self.status(snapshot_id) == states.AVAILABLE
        return snapshot_id

    def three_snapshots(self, volume: Volume) -> list[str]:
        """Take three snapshots, with writes of the guest between them; the oldest first."""
        made = []
        for _ in range(3):
            made.append(self.snapshot(volume))
            self.guests[volume.id].wait_writes()
        return made

    def delete(self, snapshot_id: str) -> None:
        """Delete a snapshot and wait until it is gone."""
        self.wait_succeeded(self.ask_deletion(snapshot_id))
        assert self.status(snapshot_id) is None

    def delete_volume(self, volume: Volume) -> None:
        now = self._clock.now()
        self._write(volume_changes.move(volume.id, states.AVAILABLE, states.DELETING, now))
        self.succeed("delete_volume", volume_id=volume.id)

    # -- operations ----------------------------------------------------------------------------

    def cast(self, method: str, **arguments: Any) -> str:
        """Record an operation as an API would cast it; return its id."""
        journal = Journal(
            self._database, self.daemon.host, flows.registry, self._clock, flows.LANE_RESOLVERS
        )
        new = NewOperation(method, arguments, version="3.0", context=self._context)
        (recorded,) = journal.record([new])
        return recorded.uuid

    def operation(self, operation_id: str) -> Mapping[str, Any]:
        return self.daemon.operation(operation_id)

    def finished(self, operation_id: str) -> Mapping[str, Any] | None:
        """The operation when it has come to its end."""
        found = self.operation(operation_id)
        return found if found["finished"] else None

    def wait(self, operation_id: str, timeout: float = 60) -> Mapping[str, Any]:
        """Wait until the operation has come to its end, and return it."""
        found: Mapping[str, Any] = poll(
            lambda: self.finished(operation_id), f"the end of {operation_id}", timeout
        )
        return found

    def wait_succeeded(self, operation_id: str) -> None:
        found = self.wait(operation_id)
        assert found["state"] == "succeeded", (found["method"], found["error"])

    def wait_failed(self, operation_id: str) -> str:
        """Wait until the operation has failed; return what it says about that."""
        found = self.wait(operation_id)
        assert found["state"] == "failed", (found["method"], found["state"])
        return str(found["error"])

    def succeed(self, method: str, **arguments: Any) -> None:
        self.wait_succeeded(self.cast(method, **arguments))

    # -- rows ----------------------------------------------------------------------------------

    def volume(self, volume_id: str) -> Record:
        found = self._database.run(
            lambda connection: volumes.get_volume(connection, volume_id), write=False
        )
        assert found is not None, f"volume {volume_id} is gone"
        return found

    def status(self, snapshot_id: str) -> str | None:
        """The snapshot's status; None when it is deleted."""
        found = self._database.run(
            lambda connection: volume_snapshots.status_of(connection, snapshot_id), write=False
        )
        return None if found is None else found[0]

    def _write(self, writes: list[Write]) -> None:
        self._database.run(lambda connection: execute_writes(connection, [writes]))
