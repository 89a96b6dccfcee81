# SPDX-License-Identifier: Apache-2.0
"""Volumes as files on NFS shares, which this host and the hosts of guests mount."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from typing import Any

from oslo_utils import strutils

from manila_lite import exception, no_eventlet, process
from manila_lite.conf.nfs import nfs_opts
from manila_lite.volume.drivers.files import FileVolumeMethods
from manila_lite.volume.drivers.remotefs import RemoteFSPoolMixin, RemoteFSSnapDriverDistributed
from manila_lite.volume.drivers.remotefs.security import OPTIONS

LOG = logging.getLogger(__name__)

_BETWEEN_MOUNTS = 1.0  # seconds


class NfsDriver(FileVolumeMethods, RemoteFSPoolMixin, RemoteFSSnapDriverDistributed):
    """Cinder's NFS driver, with each share as a pool.

    Volumes of back ends that had no pools stay usable: where a host names no share, a new volume
    goes to the one that has promised least.
    """

    driver_volume_type = "nfs"
    driver_prefix = "nfs"
    volume_backend_name = "Generic_NFS"
    VERSION = "1.0"
    locks_between_hosts = True

    def __init__(
        self, execute: Callable[..., Any] = process.execute, *args: Any, **kwargs: Any
    ) -> None:
        """As RemoteFSSnapDriverDistributed. Needs os-brick, and a configuration."""
        super().__init__(execute, *args, **kwargs)
        self.configuration.append_config_values(nfs_opts)
        self.base = os.path.realpath(self.configuration.nfs_mount_point_base)
        self._remotefsclient = self._make_client(execute)

    def _make_client(self, execute: Callable[..., Any]) -> Any:
        """What mounts shares: os-brick's client, which hosts of guests use as well."""
        # nas_mount_options goes before nfs_mount_options; it comes with its share.
        own = self.configuration.nas_mount_options is None
        with no_eventlet.hidden():
            from os_brick.remotefs import remotefs
        return remotefs.RemoteFsClient(
            "nfs", "", execute=execute, nfs_mount_point_base=self.base,
            nfs_mount_options=self.configuration.nfs_mount_options if own else None,
        )  # fmt: skip

    def do_setup(self, context: Any) -> None:
        """Mount the shares and settle the secure options.

        Raises NfsException for a file of shares that is not there and for a host without
        mount.nfs, and NfsNoSharesMounted when not one share can be mounted.
        """
        super().do_setup(context)
        self._check_shares_config()
        self._check_mount_program()
        self.set_nas_security_options(self._is_voldb_empty_at_startup)

    def _check_shares_config(self) -> None:
        if self.configuration.nas_host and self.configuration.nas_share_path:
            return
        path = self.configuration.nfs_shares_config
        if not path:
            raise exception.NfsException("nfs_shares_config is not set.")
        if not os.path.exists(path):
            raise exception.NfsException(f"nfs_shares_config = {path}: there is no such file.")

    def _check_mount_program(self) -> None:
        # As root: it may lie where an ordinary user does not look.
        try:
            self._execute("mount.nfs", check_exit_code=False, run_as_root=True)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            raise exception.NfsException("mount.nfs is not installed.") from error

    def set_nas_security_options(self, is_new_cinder_install: Any) -> None:
        """Settle what 'auto' means by the first share that is mounted, and who works on files."""
        self._ensure_shares_mounted()
        if not self._mounted_shares:
            raise self._nothing_mounted(None)
        mount_point = self._get_mount_point_for_share(self._mounted_shares[0])
        for option in OPTIONS:
            value = getattr(self.configuration, option)
            settled = self._determine_nas_security_option_setting(
                value, mount_point, is_new_cinder_install
            )
            setattr(self.configuration, option, settled)
        self._execute_as_root = not self.secure_file_operations_enabled()
        self._warn_of_insecure_options()

    def _load_shares_config(self, share_file: str | None = None) -> None:
        super()._load_shares_config(share_file)
        self.shares = {share: _as_flags(options) for share, options in self.shares.items()}

    def _ensure_share_mounted(self, share: str) -> None:
        """Mount a share that is not mounted, in nfs_mount_attempts tries.

        Raises NfsMountFailed, which is transient.
        """
        flags = (self.shares.get(share) or "").split()
        attempts = max(1, self.configuration.nfs_mount_attempts)
        for attempt in range(attempts):
            if attempt:
                self._pause(_BETWEEN_MOUNTS)
            try:
                self._remotefsclient.mount(share, flags)
                return
            except Exception as error:
                # os-brick raises exceptions of several libraries; all mean the same.
                failure = strutils.mask_password(str(error))
                LOG.debug("Share %s, try %d: %s", share, attempt + 1, failure)
        raise exception.NfsMountFailed(share=share, reason=failure)

    def _nothing_mounted(self, reason: str | None) -> exception.RemoteFSException:
        return exception.NfsNoSharesMounted(reason)

    def _no_room(self, size: int) -> exception.RemoteFSException:
        return exception.NfsNoSuitableShareFound(volume_size=size)

    def create_snapshot(self, snapshot: Any) -> Any:
        """As RemoteFSSnapDriverDistributed. Raises VolumeDriverException without the option."""
        self._check_snapshot_support()
        return super().create_snapshot(snapshot)

    def _check_snapshot_support(self) -> None:
        if not self.configuration.nfs_snapshot_support:
            raise exception.VolumeDriverException(
                "Snapshots are switched off: nfs_snapshot_support is False."
            )

    def _qemu_img_info(self, path: str, volume_name: str) -> Any:
        """Look at an image, as root even in secure mode: its guest's host may own it."""
        return self._qemu_img_info_base(path, volume_name, self.base, run_as_root=True)


def _as_flags(options: str | None) -> str | None:
    """Mount options as they follow 'mount': what is a bare list of options gets its -o."""
    if not options or options.startswith("-"):
        return options
    return f"-o {options}"
