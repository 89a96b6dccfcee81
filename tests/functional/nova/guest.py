# SPDX-License-Identifier: Apache-2.0
"""A guest that holds a volume: a qemu-storage-daemon with the volume's chain, and its writer.

The daemon opens each image by its own node, as libvirt has QEMU do, and locks the files as QEMU
does. The guest keeps the picture that its disk must show: a write counts from the moment when
the disk has acknowledged it.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.fixtures.daemon import poll
from tests.functional.nova import images, pictures
from tests.functional.nova.nbd import Disk
from tests.functional.nova.qmp import Monitor
from tests.functional.nova.writer import Writer

QCOW2 = "qcow2"
_EXPORT = "disk"
_PATIENCE = 30


@dataclass(frozen=True)
class Layer:
    """An image that the guest has open, and QEMU's name for it."""

    path: Path
    format: str
    node: str


class Guest:
    """An instance with one volume attached.

    snapshots: the picture of each moment at which a snapshot was taken, by the snapshot's id.
    durable: each write is acknowledged only once a kill of the process cannot undo it.
    job_speed: bytes a second that a block job may copy; 0 is no limit.
    """

    def __init__(
        self, active: Path, image_format: str, *, seed: int = 0, durable: bool = False
    ) -> None:
        self.active = active
        self.base_format = image_format
        self.snapshots: dict[str, pictures.Picture] = {}
        self.job_speed = 0
        self.chain: list[Layer] = []
        self.writer = Writer(seed, durable=durable)
        self._nodes = 0
        self._working = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.running:
            self.stop()

    # -- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the chain under the active image; the writer does not run yet."""
        self._directory = tempfile.TemporaryDirectory(prefix="manila-lite-guest-")
        monitor, exports = Path(self._directory.name, "qmp"), Path(self._directory.name, "nbd")
        self._process = subprocess.Popen(
            ["qemu-storage-daemon",
             "--chardev", f"socket,id=monitor,path={monitor},server=on,wait=off",
             "--monitor", "chardev=monitor",
             "--nbd-server", f"addr.type=unix,addr.path={exports}"],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        poll(lambda: monitor.exists() and exports.exists(), "the sockets of the guest")
        self.monitor = Monitor(monitor)
        self._open_chain()
        self.monitor.execute(
            "block-export-add",
            type="nbd", id="export", node_name=self.chain[-1].node, name=_EXPORT, writable=True,
        )  # fmt: skip
        self.writer.begin(Disk(exports, _EXPORT))

    def stop(self) -> None:
        """End as after a shutdown: what was written is in the files."""
        self.writer.stop()
        self.writer.end()
        self.monitor.execute("quit")
        self._reap()

    def kill(self) -> None:
        """SIGKILL, as when the host of the guest fails."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._reap()
        self.writer.lose()

    def restart(self, active: Path) -> None:
        """Start again on the active image, as after kill; the disk shows what was acknowledged."""
        self.active = active
        self.start()
        self.writer.settle()

    @property
    def running(self) -> bool:
        return self._process is not None

    def _reap(self) -> None:
        assert self._process is not None
        self._process.wait(_PATIENCE)
        self._process = None
        self.monitor.close()
        self.chain = []
        self._directory.cleanup()

    # -- what the hypervisor does for Nova -----------------------------------------------------

    def snapshot(self, new_file: str, snapshot_id: str) -> None:
        """Go over to an overlay that is there already; what the disk shows now is the snapshot."""
        path = self.active.parent / new_file
        with self._working:
            layer = self._add(path, QCOW2, None, read_only=False)
            try:
                self._switch(layer, snapshot_id)
            except Exception:
                with contextlib.suppress(OSError, EOFError):
                    self.monitor.execute("blockdev-del", node_name=layer.node)
                raise

    def _switch(self, layer: Layer, snapshot_id: str) -> None:
        with self.quiet():
            self.monitor.execute("blockdev-snapshot", node=self.chain[-1].node, overlay=layer.node)
            self.snapshots[snapshot_id] = self.writer.picture
            self.chain.append(layer)
            self.active = layer.path

    def pull(self, base_file: str | None) -> None:
        """Copy into the active image what lies between it and base_file; None: all there is."""
        with self._working:
            keep = 0 if base_file is None else self._position(base_file) + 1
            active, merged = self.chain[-1], self.chain[keep:-1]
            base = {}
            if base_file is not None:
                base = {"base_node": self.chain[keep - 1].node, "backing_file": base_file}
            self.monitor.carry_out(
                "block-stream", "pull", device=active.node, speed=self.job_speed, **base
            )
            self._drop(merged)

    def commit(self, top_file: str, base_file: str) -> None:
        """Copy what base_file lacks into it, from top_file and what lies between; not the active
        image."""
        with self._working:
            base, top = self._position(base_file), self._position(top_file)
            assert base < top < len(self.chain) - 1
            merged = self.chain[base + 1 : top + 1]
            self.monitor.carry_out(
                "block-commit", "commit",
                device=self.chain[-1].node, speed=self.job_speed, backing_file=base_file,
                top_node=self.chain[top].node, base_node=self.chain[base].node,
            )  # fmt: skip
            self._drop(merged)

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """No write is under way inside, and all that were acknowledged are in the files."""
        with self.writer.paused() as disk:
            disk.flush()
            yield

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """As quiet, and nothing is done for Nova either."""
        with self._working, self.quiet():
            yield

    # -- looking -------------------------------------------------------------------------------

    def wait_writes(self, count: int = 40) -> None:
        """Wait until the disk has acknowledged so many writes more."""
        end = self.writer.written + count
        poll(lambda: self.writer.written >= end, "writes of the guest")

    def differences(self) -> list[int]:
        """Numbers of the blocks in which the disk, as the guest reads it, is not as written."""
        return self.writer.differences()

    def files(self) -> list[str]:
        """Names of the images that are open, the base first."""
        return [layer.path.name for layer in self.chain]

    # -- the block graph -----------------------------------------------------------------------

    def _open_chain(self) -> None:
        image_format = self.base_format if "." not in self.active.name else QCOW2
        below = None
        for image in reversed(images.chain(self.active, image_format)):
            is_active = image.path == self.active
            layer = self._add(image.path, image.format, below, read_only=not is_active)
            self.chain.append(layer)
            below = layer.node

    def _add(self, path: Path, image_format: str, below: str | None, *, read_only: bool) -> Layer:
        self._nodes += 1
        layer = Layer(path, image_format, f"image-{self._nodes}")
        self.monitor.execute(
            "blockdev-add",
            driver=image_format, node_name=layer.node, read_only=read_only,
            file={"driver": "file", "filename": os.fspath(path)},
            **({"backing": below} if image_format == QCOW2 else {}),
        )  # fmt: skip
        return layer

    def _position(self, name: str) -> int:
        return self.files().index(name)

    def _drop(self, merged: list[Layer]) -> None:
        """Close images that are no longer of the chain; until then QEMU keeps their locks."""
        self.chain = [layer for layer in self.chain if layer not in merged]
        for layer in reversed(merged):
            self.monitor.execute("blockdev-del", node_name=layer.node)
