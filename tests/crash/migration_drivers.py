# SPDX-License-Identifier: Apache-2.0
"""A driver that migrates, whose storage are files beside the journal of its calls."""

from pathlib import Path

from manila_lite import exception
from manila_lite.testing.drivers import ScriptedDriver

OFFERED = ("compatible", "writable", "preserve_metadata", "nondisruptive", "preserve_snapshots")
POLLS = 2  # until the first phase is done


class Places:
    """Which share instances have all data, and which mirrors are under way, as files."""

    def __init__(self, path):
        self.root = Path(f"{path}.places")
        self.root.mkdir(exist_ok=True)

    def complete(self):
        return {path.stem for path in self.root.glob("*.data")}

    def add(self, instance_id):
        (self.root / f"{instance_id}.data").touch()

    def remove(self, instance_id):
        (self.root / f"{instance_id}.data").unlink(missing_ok=True)

    def mirror(self, instance_id):
        return self.root / f"{instance_id}.mirror"

    def mirrors(self):
        return list(self.root.glob("*.mirror"))


class MigratingDriver(ScriptedDriver):
    """Refuses to begin twice, to go on with what it never began, and to copy from nothing."""

    def migration_check_compatibility(self, context, source_share, destination_share, **servers):
        return dict.fromkeys(OFFERED, True)

    @property
    def places(self):
        return Places(self.calls.path)

    def migration_start(self, context, source_share, destination_share, *rest, **servers):
        if source_share["id"] not in self.places.complete():
            raise exception.ShareMigrationFailed(reason="the source has no data")
        self.places.mirror(destination_share["id"]).touch(exist_ok=False)

    def migration_continue(self, context, source_share, destination_share, *rest, **servers):
        mirror = self.places.mirror(destination_share["id"])
        polls = mirror.read_text()
        mirror.write_text(polls + ".")
        if len(polls) < POLLS:
            return False
        self.places.add(destination_share["id"])
        return True

    def migration_get_progress(self, context, source_share, destination_share, *rest, **servers):
        polls = self.places.mirror(destination_share["id"]).read_text()
        return {"total_progress": 100 * len(polls) / (POLLS + 1)}

    def migration_complete(self, context, source_share, destination_share, *rest, **servers):
        if destination_share["id"] not in self.places.complete():
            raise exception.ShareMigrationFailed(reason="the destination has no data")
        self.places.remove(source_share["id"])
        self.places.mirror(destination_share["id"]).unlink(missing_ok=True)
        return {"export_locations": self._exports(destination_share)}

    def migration_cancel(self, context, source_share, destination_share, *rest, **servers):
        self.places.remove(destination_share["id"])
        self.places.mirror(destination_share["id"]).unlink(missing_ok=True)
