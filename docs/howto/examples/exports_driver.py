# SPDX-License-Identifier: Apache-2.0
"""Shares are directories, exported by the kernel's NFS server through files in exports.d."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from oslo_config import cfg

from manila_lite import exception
from manila_lite.share.driver import ExecuteMixin, ShareDriver

OPTS = [
    cfg.StrOpt("exports_root", help="Directory that holds the shares and snapshots."),
    cfg.StrOpt("exports_address", default="localhost", help="Where clients find the NFS server."),
    cfg.StrOpt("exports_directory", default="/etc/exports.d", help="Where exports are written."),
    cfg.ListOpt("exports_reload", default=[], help="Command that has the server read them."),
]
GIB = 1024**3


# [begin: set-up]
class ExportsDriver(ExecuteMixin, ShareDriver):
    """Directories under exports_root; one file in exports_directory for each share with rules."""

    def __init__(self, *args, **kwargs):
        super().__init__(False, *args, config_opts=[OPTS], **kwargs)

    def do_setup(self, context):
        self.root = Path(self.configuration.exports_root)
        self.exports = Path(self.configuration.exports_directory)

    def check_for_setup_error(self):
        super().check_for_setup_error()
        for directory in (self.root, self.exports):
            if not os.access(directory, os.W_OK):
                raise exception.ShareBackendException(msg=f"{directory} cannot be written to")

    def _update_share_stats(self):
        usage = shutil.disk_usage(self.root)
        super()._update_share_stats(
            {
                "storage_protocol": "NFS",
                "vendor_name": "Example",
                "total_capacity_gb": usage.total / GIB,
                "free_capacity_gb": usage.free / GIB,
            }
        )

    # [end: set-up]
    # [begin: shares]
    def _path(self, model):
        return self.root / model["name"]

    def create_share(self, context, share, share_server=None):
        self._path(share).mkdir(exist_ok=True)
        return self._locations(share)

    def ensure_share(self, context, share, share_server=None):
        if not self._path(share).is_dir():
            raise exception.ShareResourceNotFound(share_id=share["id"])
        return self._locations(share)

    def delete_share(self, context, share, share_server=None):
        self._write_exports(share, [])
        self._remove(self._path(share))

    def _locations(self, share):
        path = f"{self.configuration.exports_address}:{self._path(share)}"
        return [{"path": path, "is_admin_only": False, "metadata": {}}]

    def _remove(self, path):
        # Renamed first: what is left of a removal that was interrupted is not taken for a share.
        doomed = path.with_name(f".{path.name}.deleted")
        if path.exists():
            shutil.rmtree(doomed, ignore_errors=True)
            path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    # [end: shares]
    # [begin: sizes]
    def extend_share(self, share, new_size, share_server=None):
        """Nothing enforces sizes here."""

    def shrink_share(self, share, new_size, share_server=None):
        files = (path for path in self._path(share).rglob("*") if path.is_file())
        if sum(file.stat().st_size for file in files) > new_size * GIB:
            raise exception.ShareShrinkingPossibleDataLoss(share_id=share["id"])

    # [end: sizes]
    # [begin: access]
    def update_access(
        self, context, share, access_rules, add_rules, delete_rules, share_server=None
    ):
        refused = [rule for rule in access_rules if rule["access_type"] != "ip"]
        self._write_exports(share, [rule for rule in access_rules if rule not in refused])
        return {rule["access_id"]: {"state": "error"} for rule in refused}

    def _write_exports(self, share, rules):
        clients = [f"{rule['access_to']}({rule['access_level']},sync)" for rule in rules]
        file = self.exports / f"{share['name']}.exports"
        if clients:
            new = file.with_suffix(".new")
            new.write_text(f"{self._path(share)} {' '.join(sorted(clients))}\n")
            new.replace(file)
        else:
            file.unlink(missing_ok=True)
        if self.configuration.exports_reload:
            self._execute(*self.configuration.exports_reload)

    # [end: access]
    # [begin: snapshots]
    def create_snapshot(self, context, snapshot, share_server=None):
        self._copy(self._path(snapshot["share"]), self._path(snapshot))
        return {"provider_location": str(self._path(snapshot))}

    def delete_snapshot(self, context, snapshot, share_server=None):
        self._remove(self._path(snapshot))

    def create_share_from_snapshot(
        self, context, share, snapshot, share_server=None, parent_share=None
    ):
        self._copy(self._path(snapshot), self._path(share))
        return self._locations(share)

    def _copy(self, source, target):
        if target.exists():
            return
        half = target.with_name(f".{target.name}.copy")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(source, half, symlinks=True)
        half.rename(target)

    # [end: snapshots]
