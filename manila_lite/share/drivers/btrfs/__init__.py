# SPDX-License-Identifier: Apache-2.0
"""Shares as subvolumes of a mounted btrfs, with sizes that the file system enforces.

It is the directory driver with other trees and other limits: names, locks, metadata, access rules
and what a repeated call means are ``directory``'s. Here, ``commands`` runs the btrfs program,
``calls`` asks the kernel, ``quota`` limits and measures, ``store`` makes, replaces and removes
subvolumes, and ``nested`` takes away what users have made inside them.
"""

from manila_lite.share.drivers.btrfs.driver import BtrfsDriver

__all__ = ["BtrfsDriver"]
