# SPDX-License-Identifier: Apache-2.0
"""A libvirt domain that has a volume attached, and the very calls that Nova makes for it."""

from __future__ import annotations

import struct
import tempfile
import threading
from pathlib import Path
from typing import Any

import libvirt

from tests.fixtures.daemon import poll
from tests.libvirt import boot_sector

_SNAPSHOT_FLAGS = (
    libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
    | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
    | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT
)
_DEVICE = "vdb"
_PATIENCE = 60

_DOMAIN = """
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>32</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  <on_reboot>destroy</on_reboot>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='{boot}'/>
      <target dev='vda' bus='virtio'/>
      <boot order='1'/>
      <readonly/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='{format}'/>
      <source file='{active}'/>
      <target dev='{device}' bus='virtio'/>
      <boot order='2'/>
      <serial>{name}</serial>
    </disk>
    <memballoon model='none'/>
  </devices>
  <seclabel type='none'/>
</domain>
"""
_SNAPSHOT = """
<domainsnapshot>
  <disks>
    <disk name='{current}' snapshot='external' type='file'>
      <source file='{new}'/>
      <driver type='qcow2'/>
    </disk>
    <disk name='vda' snapshot='no'/>
  </disks>
</domainsnapshot>
"""


class Libvirt:
    """libvirt's QEMU driver within this process, with all its files in a directory of its own."""

    def __init__(self) -> None:
        libvirt.registerErrorHandler(lambda *_: None, None)
        libvirt.virEventRegisterDefaultImpl()
        self._ending = False
        self._thread = threading.Thread(target=self._turn, daemon=True)
        self._thread.start()
        self._root = tempfile.TemporaryDirectory(prefix="ml-libvirt-", ignore_cleanup_errors=True)
        self._configure(Path(self._root.name, "etc"))
        self.connection = libvirt.open(f"qemu:///embed?root={self._root.name}")

    def close(self) -> None:
        for domain in self.connection.listAllDomains():
            domain.destroy()
        self.connection.close()
        self._ending = True
        self._thread.join(_PATIENCE)
        self._root.cleanup()

    def _turn(self) -> None:
        # A timer: the loop looks at _ending at least that often.
        libvirt.virEventAddTimeout(200, lambda *_: None, None)
        while not self._ending:
            libvirt.virEventRunDefaultImpl()

    @staticmethod
    def _configure(etc: Path) -> None:
        etc.mkdir()
        (etc / "qemu.conf").write_text(
            'security_driver = "none"\nuser = "+0"\ngroup = "+0"\ndynamic_ownership = 0\n'
            'stdio_handler = "file"\n'
            "remember_owner = 0\nnamespaces = []\ncgroup_controllers = []\n"
        )


class Domain:
    """A running domain; a Hypervisor for Nova's stand-in. Active: path of the active image.

    counts: for each snapshot, the numbers that were surely written and those that may have been.
    """

    def __init__(
        self, host: Libvirt, directory: Path, volume_id: str, active: Path, image_format: str
    ) -> None:
        boot = directory / f"boot-{volume_id}"
        boot.write_bytes(boot_sector.image())
        self.active = active
        self.counts: dict[str, tuple[int, int]] = {}
        self._end: tuple[int, int] | None = None
        text = _DOMAIN.format(
            name=volume_id, boot=boot, active=active, format=image_format, device=_DEVICE
        )
        self._domain = host.connection.createXML(text, 0)

    def stop(self) -> tuple[int, int]:
        """Power off; return the last numbers that were surely written, and that may have been."""
        if self._end is None:
            self._domain.suspend()
            self._end = (self.acknowledged, self._number(boot_sector.NEXT))
            self._domain.destroyFlags(libvirt.VIR_DOMAIN_DESTROY_GRACEFUL)
        return self._end

    # -- the guest -----------------------------------------------------------------------------

    @property
    def acknowledged(self) -> int:
        """The last number whose write the disk has acknowledged."""
        assert not self._number(boot_sector.FAILED), "a write of the guest failed"
        return self._number(boot_sector.ACKNOWLEDGED)

    def wait_writes(self, count: int) -> None:
        """Wait until the guest has written so many times more."""
        end = self.acknowledged + count
        poll(lambda: self.acknowledged >= end, "writes of the guest", _PATIENCE)

    def _number(self, address: int) -> int:
        data = self._domain.memoryPeek(address, 4, libvirt.VIR_MEMORY_PHYSICAL)
        number: int = struct.unpack("<I", data)[0]
        return number

    # -- as Nova's libvirt driver does it ------------------------------------------------------

    def snapshot(self, new_file: str, snapshot_id: str) -> None:
        before = self.acknowledged
        new = self.active.parent / new_file
        text = _SNAPSHOT.format(current=self.active, new=new)
        self._domain.snapshotCreateXML(text, _SNAPSHOT_FLAGS)
        self.counts[snapshot_id] = (before, self._number(boot_sector.NEXT))
        self.active = new

    def pull(self, base_file: str | None) -> None:
        relative = libvirt.VIR_DOMAIN_BLOCK_REBASE_RELATIVE if base_file is not None else 0
        self._domain.blockRebase(_DEVICE, base_file, 0, relative)
        self._wait_job()

    def commit(self, top_file: str, base_file: str) -> None:
        relative = libvirt.VIR_DOMAIN_BLOCK_COMMIT_RELATIVE
        self._domain.blockCommit(_DEVICE, base_file, top_file, 0, relative)
        self._wait_job()

    def _wait_job(self) -> None:
        poll(lambda: not self._job(), "the end of a block job", _PATIENCE)

    def _job(self) -> Any:
        return self._domain.blockJobInfo(_DEVICE, 0)
