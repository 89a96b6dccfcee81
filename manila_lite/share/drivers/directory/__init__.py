# SPDX-License-Identifier: Apache-2.0
"""Shares as directories on any POSIX file system, without root privileges.

``driver`` speaks the driver interface and decides what a repeated call means. ``store`` makes,
replaces and removes trees so that a kill at any point leaves nothing half-made under a final
name. ``tree`` walks directories that somebody else may be changing; ``copying``, ``removal`` and
``usage`` are its visitors.
"""

from manila_lite.share.drivers.directory.driver import DirectoryDriver

__all__ = ["DirectoryDriver"]
