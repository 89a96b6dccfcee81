# SPDX-License-Identifier: Apache-2.0
"""A share that is about to be migrated, for tests of the flows that do it."""

from __future__ import annotations

from typing import Any

from manila_lite.db import models, services
from manila_lite.db.records import Record
from tests.support.shares import Site

OTHER = "other@backend"
DESTINATION = f"{OTHER}#pool"
NEW_EXPORT = "10.0.0.9:/share"
ALL = {
    "compatible": True, "writable": True, "preserve_metadata": True, "nondisruptive": True,
    "preserve_snapshots": True,
}  # fmt: skip
WISHES = {
    "force_host_assisted_migration": False, "preserve_metadata": False, "writable": False,
    "nondisruptive": False, "preserve_snapshots": False, "new_share_network_id": None,
    "new_share_type_id": None,
}  # fmt: skip


class Migrations:
    """Casts about the migration of one share, and what its rows say."""

    def __init__(self, site: Site) -> None:
        self.site = site
        with site.database.writer() as connection:
            services.register(connection, OTHER, "nova", site.clock.now())
        site.driver.answers.update(
            migration_check_compatibility=ALL, migration_start=None, migration_continue=False,
            migration_complete={"export_locations": [{"path": NEW_EXPORT}]},
            migration_cancel=None,
        )  # fmt: skip
        self.share = site.add_share("migrating")
        self.set_task("migration_starting")

    @property
    def driver(self) -> Any:
        return self.site.driver

    def set_task(self, task_state: str | None) -> None:
        with self.site.database.writer() as connection:
            connection.execute(models.shares.update().values(task_state=task_state))

    def start(self, seconds: float = 0, **wishes: Any) -> dict[str, Any]:
        share_id = self.share["share_id"]
        arguments = {"share_id": share_id, "dest_host": DESTINATION, **WISHES, **wishes}
        return self.site.do("migration_start", seconds=seconds, **arguments)

    def phase1(self, **wishes: Any) -> None:
        """Come as far as the end of the first phase."""
        self.driver.answers["migration_continue"] = True
        self.start(**wishes)

    def cast(self, method: str, seconds: float = 2) -> dict[str, Any]:
        uuid = self.site.cast(method, **self.instances())
        self.site.run()
        self.site.worker.look_for_requests()
        self.site.run(seconds)
        return self.site.operation(uuid)

    def instances(self) -> dict[str, str]:
        there = self.destination()
        return {
            "src_instance_id": self.share["instance_id"],
            "dest_instance_id": there["id"] if there else "gone",
        }

    def destination(self) -> Record | None:
        """The other instance of the share, if there is one."""
        found = self.site.rows(models.share_instances, deleted="False")
        return next((one for one in found if one["id"] != self.share["instance_id"]), None)

    def operation(self, method: str) -> dict[str, Any]:
        """The newest operation of that method."""
        return self.site.rows(models.lite.operations, method=method)[-1]

    def state(self) -> tuple[str | None, dict[str, str]]:
        """Task state, and the statuses of the instances by host."""
        found = self.site.rows(models.share_instances, deleted="False")
        statuses = {row["host"].partition("@")[0]: row["status"] for row in found}
        return self.site.share(self.share)["task_state"], statuses
