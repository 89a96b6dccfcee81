# SPDX-License-Identifier: Apache-2.0
"""Which shares there are, and mounting them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any

from manila_lite import exception
from manila_lite.volume import driver

LOG = logging.getLogger(__name__)


class ShareMethods(driver.BaseVD):
    """The configuration of shares; what mounts one is the concrete driver's.

    shares: mount options, or None, by address of each share that is configured. They may hold a
    password and are never logged. _mounted_shares: addresses of those that could be mounted when
    last tried, in the order of the configuration.
    """

    driver_prefix = "remotefs"
    SHARE_FORMAT_REGEX = r".+:/.+"

    shares: dict[str, str | None]
    _mounted_shares: list[str]

    def _ensure_shares_mounted(self) -> None:
        """Read the configuration of shares again and mount what is not mounted.

        A share that cannot be mounted is logged and left out; the others serve.
        """
        self._load_shares_config(
            getattr(self.configuration, f"{self.driver_prefix}_shares_config", None)
        )
        self._mounted_shares = [share for share in list(self.shares) if self._try_mount(share)]
        LOG.debug("Shares that are mounted: %s", self._mounted_shares)

    def _try_mount(self, share: str) -> bool:
        try:
            self._ensure_share_mounted(share)
        except Exception as error:
            # Whatever a driver's own mounting raises: one share that is away is no reason to
            # serve none.
            LOG.error("Share %s could not be mounted: %s", share, error)
            return False
        return True

    def _load_shares_config(self, share_file: str | None = None) -> None:
        """Fill `shares` from nas_host and nas_share_path, else from the lines of a file.

        A line is an address, then mount options if there are any; blank ones and those that
        begin with # mean nothing; \\040 stands for a space in an address. Raises
        InvalidConfigurationValue for nas_* options that make no address; a line that is none is
        logged and left out.
        """
        host, path = self.configuration.nas_host, self.configuration.nas_share_path
        if host and path:
            self.shares = self._single_share(host, path)
        elif share_file is not None:
            self.shares = dict(self._shares_of_lines(self._read_config_file(share_file)))
        else:
            self.shares = {}
        LOG.debug("Shares that are configured: %s", list(self.shares))

    def _single_share(self, host: str, path: str) -> dict[str, str | None]:
        address = f"{host}:{path}"
        if not re.match(self.SHARE_FORMAT_REGEX, address):
            raise exception.InvalidConfigurationValue(
                option="nas_host, nas_share_path", value=address
            )
        return {address: self.configuration.nas_mount_options}

    def _shares_of_lines(self, lines: Iterable[str]) -> Iterable[tuple[str, str | None]]:
        for line in lines:
            words = line.strip().split(None, 1)
            if not words or words[0].startswith("#"):
                continue
            address = words[0].replace("\\040", " ")
            if re.match(self.SHARE_FORMAT_REGEX, address):
                yield address, words[1] if len(words) > 1 else None
            else:
                LOG.error("Share %s is left out: it is not of the form address:/path", address)

    def _read_config_file(self, config_file: str) -> list[str]:
        """The lines of the file of shares."""
        with open(config_file, encoding="utf-8") as file:
            return file.readlines()

    def _get_mount_point_for_share(self, path: str) -> str:
        """The directory in which the share with the address `path` is mounted."""
        raise NotImplementedError

    def _ensure_share_mounted(self, share: str) -> None:
        """Mount a share that is not mounted. Raises when that fails."""
        raise NotImplementedError

    def _get_mount_point_base(self) -> Any:
        """The directory under which hosts mount shares; None for drivers that have none."""
        LOG.debug("%s names no directory under which hosts mount its shares", type(self).__name__)
        return None

    def _find_share(self, volume: Any) -> str:
        """The address of the share on which a new volume is to be put."""
        raise NotImplementedError


class PlacedVolume:
    """A volume as it would be on another share; the volume itself is not changed."""

    def __init__(self, volume: Any, share: str) -> None:
        self._volume = volume
        self.provider_location = share

    def __getattr__(self, name: str) -> Any:
        return getattr(self._volume, name)

    def __getitem__(self, name: str) -> Any:
        return self.provider_location if name == "provider_location" else self._volume[name]
