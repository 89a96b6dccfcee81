# SPDX-License-Identifier: Apache-2.0
"""The daemon dies in the midst of backups, and brings all of them to their end."""

import concurrent.futures

import pytest

from manila_lite.conf import directory
from manila_lite.db import backups, models, shares
from manila_lite.share.drivers.directory import DirectoryDriver
from manila_lite.testing import models as made_up
from manila_lite.testing import trees
from tests.crash.site import SIZE
from tests.fixtures.daemon import poll

POINTS = [
    "claim.after_commit", "intent.after_commit", "effect.before",
    "effect.after", "finish.before_commit", "finish.after_commit",
]  # fmt: skip
SMALL_STEPS = {"claim_batch": 1, "interrupted_operation_policy": "retry"}


class BackingUp:
    """One operation of each kind, on shares of their own that hold data."""

    def __init__(self, site, roots):
        self.site, self.roots = site, roots
        self.driver = made_up.driver(
            DirectoryDriver, directory.OPTS, directory_root=str(roots["directory_root"]),
            directory_backup_root=str(roots["directory_backup_root"]),
        )  # fmt: skip
        self.driver.do_setup(None)
        self.driver.check_for_setup_error()

    def data_of(self, kind, name):
        root = {"shares": "directory_root", "backups": "directory_backup_root"}[kind]
        return self.roots[root] / kind / name

    def ask(self):
        self.kept, kept_backup = self._new("backup_creating", "creating")
        self.back, back_backup = self._new("backup_restoring", "restoring")
        _, gone_backup = self._new("available", "deleting")
        self.backups = {"kept": kept_backup, "back": back_backup, "gone": gone_backup}
        self.driver.create_share(None, self.kept)
        trees.grow_zoo(self.data_of("shares", self.kept["name"]))
        for share, backup in ((self.back, back_backup), (self.back, gone_backup)):
            self._made(share, backup)
        self.then = trees.describe(self.data_of("shares", self.back["name"]))
        (self.data_of("shares", self.back["name"]) / "later").write_bytes(b"later")
        asked = [
            ("create_backup", {"backup_id": kept_backup}),
            (
                "restore_backup",
                {"backup_id": back_backup, "share_id": self.back["share_id"]},
            ),
            ("delete_backup", {"backup_id": gone_backup}),
        ]
        return self.site.record(asked)

    def _new(self, share_status, backup_status):
        def work(connection):
            made = self.site.available_share(connection)
            share = shares.get_instance(connection, made["instance_id"])
            backup_id = backups.new_backup(
                connection, self.site._clock.now(), share, host=self.site.daemon.host,
                topic="manila-share", project_id=self.site.project_id, user_id="user",
            )  # fmt: skip
            backups.set_source(connection, share["share_id"], backup_id)
            for table, key, status in (
                (models.share_instances, share["id"], share_status),
                (models.share_backups, backup_id, backup_status),
            ):
                connection.execute(table.update().where(table.c.id == key).values(status=status))
            return share, backup_id

        return self.site.database.run(work)

    def _made(self, share, backup_id):
        """A backup that was made before the test began."""
        row = self.site.database.run(lambda c: backups.get_backup(c, backup_id), write=False)
        self.driver.create_share(None, share)
        if not (self.data_of("shares", share["name"]) / "file").exists():
            (self.data_of("shares", share["name"]) / "file").write_bytes(b"then" * 1000)
        self.driver.create_backup(None, share, row)
        while self.driver.create_backup_continue(None, share, row)["total_progress"] != "100":
            pass

    def rows(self):
        def work(connection):
            table = models.share_backups
            found = {
                name: connection.execute(table.select().where(table.c.id == key)).one()
                for name, key in self.backups.items()
            }
            statuses = [
                shares.get_instance(connection, share["id"])["status"]
                for share in (self.kept, self.back)
            ]
            return {name: row.status for name, row in found.items()}, statuses

        return self.site.database.run(work, write=False)

    def check(self):
        assert self.rows() == (
            {"kept": "available", "back": "available", "gone": "deleted"},
            ["available", "available"],
        )
        data = {n: self.data_of("backups", f"share-backup-{k}") for n, k in self.backups.items()}
        share = self.data_of("shares", self.kept["name"])
        assert trees.describe(data["kept"]) == trees.describe(share)
        assert trees.describe(self.data_of("shares", self.back["name"])) == self.then
        assert trees.describe(data["back"]) == self.then
        assert not data["gone"].exists()
        assert self.usage() == 2 * SIZE

    def usage(self):
        u = models.quota_usages
        query = u.select().where(
            u.c.project_id == self.site.project_id, u.c.resource == "backup_gigabytes"
        )
        [row] = self.site.database.run(lambda c: c.execute(query).all(), write=False)
        return row.in_use


def die_and_recover(site, roots, name, passed):
    backing_up = BackingUp(site, roots)
    count = backing_up.ask()
    site.die_at(name, passed)
    poll(lambda: site.finished() >= count and not site.open(), f"the end after {name}:{passed}")
    return backing_up


@pytest.mark.parametrize("name", POINTS)
def test_backups_come_to_their_end_after_a_kill(name, sites, urls, tmp_path):
    made = []
    for kind, passed in (("sqlite", 1), ("postgresql", 3 if name.startswith("eff") else 2)):
        roots = {f"directory{part}_root": tmp_path / f"{kind}{part}" for part in ("", "_backup")}
        for path in roots.values():
            path.mkdir()
        site = sites(urls(kind), driver="directory", ours=SMALL_STEPS, backend=roots)
        made.append((site, roots, name, passed))
    with concurrent.futures.ThreadPoolExecutor(len(made)) as pool:
        futures = [pool.submit(die_and_recover, *one) for one in made]
    for future in futures:
        future.result().check()
