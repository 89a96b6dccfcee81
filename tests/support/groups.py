# SPDX-License-Identifier: Apache-2.0
"""Share groups on a site of tests, and drivers that have methods of their own for them."""

from __future__ import annotations

from typing import Any

from manila_lite.db import group_creation, models, share_groups
from manila_lite.db.records import Record
from tests.support.shares import POOL, PROJECT, USER, RecordingDriver, Site

OWNER = {"project_id": PROJECT, "user_id": USER}


class GroupDriver(RecordingDriver):
    """Has methods of its own for groups; all of them are written down."""

    def __init__(self, configuration: Any) -> None:
        super().__init__(configuration)
        self.answers.update(
            create_share_group=None,
            delete_share_group=None,
            create_share_group_from_share_group_snapshot=(None, None),
            create_share_group_snapshot=(None, None),
            delete_share_group_snapshot=(None, None),
        )

    def create_share_group(self, *args: Any, **kwargs: Any) -> Any:
        return self._answer("create_share_group", args, kwargs)

    def delete_share_group(self, *args: Any, **kwargs: Any) -> Any:
        return self._answer("delete_share_group", args, kwargs)

    def create_share_group_from_share_group_snapshot(self, *args: Any, **kwargs: Any) -> Any:
        return self._answer("create_share_group_from_share_group_snapshot", args, kwargs)

    def create_share_group_snapshot(self, *args: Any, **kwargs: Any) -> Any:
        return self._answer("create_share_group_snapshot", args, kwargs)

    def delete_share_group_snapshot(self, *args: Any, **kwargs: Any) -> Any:
        return self._answer("delete_share_group_snapshot", args, kwargs)


def use(site: Site, driver_class: type[RecordingDriver]) -> None:
    """Give the site a driver of another class."""
    site.driver = driver_class(site.environment.configuration)
    site.environment.driver = site.driver


def add_group(site: Site, status: str = "available", **options: Any) -> str:
    """Insert a group; columns among the options are set beside its status."""
    columns = options.pop("columns", {})
    with site.database.writer() as connection:
        group_id = group_creation.new_group(
            connection, site.clock.now(), host=POOL, **OWNER, **options
        )
        site._set(connection, models.share_groups, group_id, status, columns)
    return group_id


def add_member(site: Site, group_id: str, status: str = "available") -> Record:
    """Insert a share in a group."""
    share = site.add_share(status)
    with site.database.writer() as connection:
        group_creation.put_in_group(connection, share["share_id"], group_id)
    return share


def add_snapshot(site: Site, group_id: str, status: str = "creating") -> str:
    """Insert a snapshot of a group, with a member for each of its shares in the same status."""
    with site.database.writer() as connection:
        instances = share_groups.shares_of_group(connection, group_id)
        snapshot_id = group_creation.new_group_snapshot(
            connection, site.clock.now(), {"id": group_id}, instances, **OWNER
        )
        site._set(connection, models.share_group_snapshots, snapshot_id, status, {})
        table = models.share_snapshot_instances
        connection.execute(
            table.update()
            .where(table.c.share_group_snapshot_id == snapshot_id)
            .values(status=status)
        )
    return snapshot_id


def add_copy(site: Site, snapshot_id: str, status: str = "creating") -> str:
    """Insert a group that is to be made from a group snapshot, with its shares in 'creating'."""
    group_id = add_group(site, status, source_id=snapshot_id)
    with site.database.writer() as connection:
        snapshot = share_groups.get_group_snapshot(connection, snapshot_id)
        assert snapshot is not None
        group_creation.new_shares_of_snapshot(
            connection, site.clock.now(), group_id, snapshot, OWNER
        )
    return group_id


def group_row(site: Site, group_id: str) -> Record:
    return site.rows(models.share_groups, id=group_id)[0]


def snapshot_row(site: Site, snapshot_id: str) -> Record:
    return site.rows(models.share_group_snapshots, id=snapshot_id)[0]


def members(site: Site, snapshot_id: str) -> list[Record]:
    return site.rows(models.share_snapshot_instances, share_group_snapshot_id=snapshot_id)


def shares(site: Site, group_id: str) -> list[Record]:
    """The living share instances of a group."""
    with site.database.reader() as connection:
        return share_groups.shares_of_group(connection, group_id)
