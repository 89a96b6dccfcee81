# SPDX-License-Identifier: Apache-2.0
"""A volume back end as its users know it, with two pools, and what its rows and files must show."""

import contextlib
import dataclasses
import io
import json
import subprocess
import uuid
from pathlib import Path

import sqlalchemy as sa

from manila_lite import jsontext
from manila_lite import volume_states as states
from manila_lite.clock import SystemClock
from manila_lite.context import RequestContext
from manila_lite.db import messages, models, volume_creation, volume_snapshots, volumes
from manila_lite.engine.journal import Journal, NewOperation
from manila_lite.image.directory import DirectoryImageService
from manila_lite.volume import flows
from manila_lite.volume.flows.check import CHECK
from tests.crash.volumes.drivers import SURVIVED
from tests.fixtures.daemon import poll

ROOT = Path(__file__).parents[3]
GIB = 1 << 30
BLOCK = 64 * 1024
PROJECT = "project"


@dataclasses.dataclass
class Expected:
    """What a volume or snapshot must show: {number of a block: byte that fills it}, else zeros."""

    blocks: dict


class Site:
    """Rows as an API makes them, operations in the journal, and the files of LocalFsDriver."""

    def __init__(self, daemon, directory):
        self.daemon = daemon
        self.database = daemon.database
        self.pools = [directory / "one", directory / "two"]
        self.orders = directory / "orders"
        self.images = DirectoryImageService(str(directory / "images"), SystemClock())
        self.volumes = {}  # id: Expected, of all that are to be there
        self.snapshots = {}
        self.uploads = {}  # by the image's id
        self.bulk = 0  # MiB of further data in each volume and image, beyond the blocks
        self._clock = SystemClock()
        self._context = RequestContext(project_id=PROJECT, user_id="user", is_admin=True)
        self._journal = Journal(
            self.database, daemon.host, flows.registry, self._clock, flows.LANE_RESOLVERS
        )

    def start(self, **environment):
        # The driver of these tests is found from the root of the repository.
        self.daemon.start(PYTHONPATH=str(ROOT), **environment)

    def host(self, pool=0):
        return f"{self.daemon.host}#{self.pools[pool]}"

    # -- asking --------------------------------------------------------------------------------

    def ask(self, method, **arguments):
        """Record an operation; return its uuid."""
        context = self._context.to_journal()
        return self._journal.record([NewOperation(method, arguments, context=context)])[0].uuid

    def do(self, method, **arguments):
        """Have an operation carried out to its end, which must be a good one."""
        uuid_ = self.ask(method, **arguments)
        self.wait_settled()
        operation = self.daemon.operation(uuid_)
        assert operation["state"] == "succeeded", operation["error"]
        return operation

    def settled(self):
        return all(row["finished"] for row in self.daemon.operations())

    def wait_settled(self, timeout=90):
        try:
            poll(self.settled, "the end of all operations", timeout)
        except AssertionError as error:
            unfinished = [row for row in self.daemon.operations() if not row["finished"]]
            log = self.daemon.log.read_text()[-6000:]
            raise AssertionError(f"{error}\n{unfinished}\n{log}") from None

    def order(self, method, number, moment):
        self.orders.write_text(f"{method} {number} {moment}")

    def has_died(self):
        """Whether the daemon died as ordered; the order is taken back."""
        survived = self.orders.exists()
        if survived:
            assert self.orders.read_text() == SURVIVED, "the method was not called"
            self.orders.unlink()
        return not survived

    # -- rows ----------------------------------------------------------------------------------

    def new_volume(self, **columns):
        """Make the row of a volume of 1 GiB that is being made; return its id."""
        volume_id = str(uuid.uuid4())
        self.database.run(
            lambda connection: volume_creation.new_volume(
                connection, self._clock.now(), host=self.host(), size=1, project_id=PROJECT,
                user_id="user", volume_id=volume_id, **columns,
            )
        )  # fmt: skip
        return volume_id

    def new_snapshot(self, volume_id):
        made = self.database.run(
            lambda connection: volume_creation.new_snapshot(
                connection, self._clock.now(), volumes.get_volume(connection, volume_id)
            )
        )
        return made["snapshot_id"]

    def begin(self, volume_id, status):
        assert self.database.run(
            lambda connection: volume_creation.begin_on_volume(
                connection, volume_id, status, self._clock.now()
            )
        )

    def begin_on_snapshot(self, snapshot_id, status):
        assert self.database.run(
            lambda connection: volume_creation.begin_on_snapshot(
                connection, snapshot_id, status, self._clock.now()
            )
        )

    def volume(self, volume_id):
        """The volume's record; None when it is deleted."""
        return self.database.run(lambda c: volumes.get_volume(c, volume_id), write=False)

    def snapshots_of(self, volume_id):
        return self.database.run(
            lambda c: volume_snapshots.list_of_volume(c, volume_id), write=False
        )

    # -- volumes with data ---------------------------------------------------------------------

    def add_volume(self, blocks=()):
        """Have a volume made, and write to it; return its id."""
        volume_id = self.new_volume()
        self.do("create_volume", volume_id=volume_id)
        self.volumes[volume_id] = Expected({})
        self.write(volume_id, blocks)
        return volume_id

    def add_snapshot(self, volume_id):
        snapshot_id = self.new_snapshot(volume_id)
        self.do("create_snapshot", snapshot_id=snapshot_id)
        self.snapshots[snapshot_id] = Expected(dict(self.volumes[volume_id].blocks))
        return snapshot_id

    def add_image(self, blocks):
        """Put a raw image of 1 MiB into the image service; return its id."""
        data = bytearray(16 * BLOCK)
        for block, byte in dict(blocks).items():
            data[block * BLOCK : (block + 1) * BLOCK] = bytes([byte]) * BLOCK
        data += bytes([7]) * (self.bulk << 20)
        return self.images.create(None, {"disk_format": "raw"}, io.BytesIO(bytes(data)))["id"]

    def write(self, volume_id, blocks):
        """Fill blocks of a detached volume, given as (number, byte)."""
        path, image_format = self._active(volume_id)
        if not blocks:
            return
        writes = [f"write -P {byte} {block * BLOCK} {BLOCK}" for block, byte in blocks]
        if self.bulk:
            writes.append(f"write -P 7 {16 * BLOCK} {self.bulk}M")
        good, told = qemu_io(path, image_format, *writes)
        assert good, told
        self.volumes[volume_id].blocks.update(blocks)

    def forget(self):
        """Take away all volumes, past the daemon: for the next round of a test."""
        for pool in self.pools:
            for path in pool.iterdir():
                path.unlink()
        mine = self._living()
        for column in (models.volumes.c.id, models.snapshots.c.volume_id):
            statement = column.table.update().where(column.in_(mine))
            gone = statement.values(deleted=True, status=states.DELETED)
            self.database.run(lambda c, gone=gone: c.execute(gone))
        for expected in (self.volumes, self.snapshots, self.uploads):
            expected.clear()

    # -- looking -------------------------------------------------------------------------------

    def check(self):
        """Raise AssertionError where rows, files and data do not agree. Nothing is under way."""
        for volume_id, expected in list(self.volumes.items()):
            volume = self.volume(volume_id)
            assert volume is not None, f"volume {volume_id} is gone"
            self._check_status(volume)
            if volume["status"] == states.AVAILABLE:
                self._check_data(volume_id, expected)
        for snapshot_id, expected in self.snapshots.items():
            self._check_snapshot(snapshot_id, expected)
        for image_id, expected in self.uploads.items():
            self._check_image(image_id, expected)
        self._check_files()
        self._check_chains()

    def _check_status(self, row):
        """At rest, or in error and its user told why."""
        status = row["status"]
        assert status == states.AVAILABLE or self._told(row["id"]), f"{row['id']} is {status}"

    def _told(self, resource_id):
        return self.database.run(lambda c: messages.list_messages(c, resource_id), write=False)

    def _check_data(self, volume_id, expected):
        path, image_format = self._active(volume_id)
        check_blocks(path, image_format, expected.blocks)
        shown = json.loads(qemu_img("info", "--output=json", "-f", image_format, path))
        assert shown["virtual-size"] == self.volume(volume_id)["size"] * GIB

    def _check_snapshot(self, snapshot_id, expected):
        row = self._row(models.snapshots, snapshot_id)
        self._check_status(row)
        if row["status"] != states.AVAILABLE:
            return
        directory = Path(self.volume(row["volume_id"])["provider_location"])
        overlay = directory / self._info(row["volume_id"])[snapshot_id]
        shown = json.loads(qemu_img("info", "--output=json", "-f", "qcow2", overlay))
        base = directory / shown["backing-filename"]
        check_blocks(base, shown["backing-filename-format"], expected.blocks)

    def _check_image(self, image_id, expected):
        """An active image shows the volume; another one has no data that could be seen."""
        meta = self.images.show(None, image_id)
        if meta["status"] == "active":
            path = self.orders.with_name("downloaded")
            with open(path, "wb") as file:
                self.images.download(None, image_id, file)
            check_blocks(path, meta["disk_format"], expected.blocks)

    def _row(self, table, key):
        with self.database.reader() as connection:
            return connection.execute(sa.select(table).where(table.c.id == key)).mappings().one()

    def _check_files(self):
        """Each file belongs to a volume or a snapshot that has a row, and no other is there."""
        expected = {str(pool): set() for pool in self.pools}
        for volume_id in self._living():
            volume, info = self.volume(volume_id), self._info(volume_id)
            if volume["provider_location"] is None:
                continue
            here = expected[volume["provider_location"]]
            overlays = {s["id"]: info.get(s["id"]) for s in self.snapshots_of(volume_id)}
            here |= {volume["name"], *(name for name in overlays.values() if name)}
            if info:
                here |= {f"{volume['name']}.info", info["active"]}
        found = {str(pool): {path.name for path in pool.iterdir()} for pool in self.pools}
        assert found == expected
        leftovers = self.daemon.directory.rglob("conversion-*/*")
        assert [path for path in leftovers if path.name != ".lock"] == []

    def _living(self):
        v = models.volumes.c
        here = v.host.startswith(f"{self.daemon.host}#", autoescape=True)
        query = sa.select(v.id).where(v.deleted == sa.false(), here)
        return self.database.run(lambda c: list(c.execute(query).scalars()), write=False)

    def _check_chains(self):
        """What the driver's own examination finds."""
        asked = {
            volume_id: self.ask(CHECK, volume_id=volume_id)
            for volume_id in self._living()
            if self.volume(volume_id)["status"] == states.AVAILABLE
        }
        self.wait_settled()
        for volume_id, uuid_ in asked.items():
            report = jsontext.decode(self.daemon.operation(uuid_)["result"])
            assert report["findings"] == [], f"volume {volume_id}: {report}"

    def _info(self, volume_id):
        volume = self.volume(volume_id)
        if volume["provider_location"] is None:
            return {}
        path = Path(volume["provider_location"]) / f"{volume['name']}.info"
        with contextlib.suppress(FileNotFoundError):
            return json.loads(path.read_text())
        return {}

    def _active(self, volume_id):
        volume = self.volume(volume_id)
        active = self._info(volume_id).get("active", volume["name"])
        path = Path(volume["provider_location"]) / active
        return path, "raw" if active == volume["name"] else "qcow2"


def check_blocks(path, image_format, blocks):
    """Each block that was written shows its byte, and the others of the first 16 show zeros."""
    reads = [f"read -P {blocks.get(block, 0)} {block * BLOCK} {BLOCK}" for block in range(16)]
    good, told = qemu_io(path, image_format, *reads, options=["-r"])
    assert good, f"{path} does not show {blocks}: {told}"


def qemu_io(path, image_format, *commands, options=()):
    """Whether qemu-io could do all that, and what it said."""
    each = [part for command in commands for part in ("-c", command)]
    done = subprocess.run(
        ["qemu-io", *options, "-f", image_format, *each, path],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    told = done.stdout + done.stderr
    return done.returncode == 0 and "failed" not in told, told


def qemu_img(*arguments):
    done = subprocess.run(
        ["qemu-img", *map(str, arguments)], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout
