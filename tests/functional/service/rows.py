# SPDX-License-Identifier: Apache-2.0
"""The rows that Manila's API makes before it casts, and what became of them."""

import dataclasses
import datetime
import uuid

import sqlalchemy as sa

from manila_lite import states
from manila_lite.db import creation, messages, models, types
from manila_lite.db.writes import execute_writes

SIZE = 2  # GiB
USER = "user"


@dataclasses.dataclass(frozen=True)
class Share:
    """The ids of a share's rows; each share has a project and a share type of its own."""

    share_id: str
    instance_id: str
    project_id: str
    type_id: str
    host: str

    @property
    def name(self):
        return f"share-{self.instance_id}"


@dataclasses.dataclass(frozen=True)
class Snapshot:
    snapshot_id: str
    instance_id: str
    share: Share

    @property
    def name(self):
        return f"share-snapshot-{self.instance_id}"


def now():
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


class Rows:
    def __init__(self, database):
        self.database = database

    # -- as the API makes them -----------------------------------------------------------------

    def share(self, pool, status=states.CREATING, *, told=None, of=None, **columns):
        """A share of SIZE GiB. told: what the driver reads; of: made from this snapshot."""
        project = f"project-{uuid.uuid4().hex[:8]}"
        type_id = str(uuid.uuid4())
        specs = {"driver_handles_share_servers": "False", "snapshot_support": "True"}

        def work(connection):
            new = types.new_type(f"type-{type_id}", specs, now(), type_id)
            execute_writes(connection, [new])
            made = creation.new_share(
                connection, now(), host=pool, size=SIZE, share_proto="NFS", project_id=project,
                user_id=USER, share_type={"id": type_id}, description=told, metadata={"k": "v"},
                snapshot_id=of and of.snapshot_id,
            )  # fmt: skip
            key = made["instance_id"]
            if status not in (states.CREATING, states.ERROR):
                columns.setdefault("launched_at", now())
                columns.setdefault("progress", "100%")
            values = {"status": status, **columns}
            _update(connection, models.share_instances, key, **values)
            return Share(made["share_id"], key, project, type_id, pool)

        return self.database.run(work)

    def snapshot(self, share, status=states.CREATING, **columns):
        def work(connection):
            instance = {
                "id": share.instance_id, "share_id": share.share_id, "size": SIZE,
                "share_proto": "NFS", "share_type_id": share.type_id,
                "project_id": share.project_id, "user_id": USER,
            }  # fmt: skip
            made = creation.new_snapshot(connection, now(), instance)
            table = models.share_snapshot_instances
            _update(connection, table, made["instance_id"], status=status, **columns)
            return Snapshot(made["snapshot_id"], made["instance_id"], share)

        return self.database.run(work)

    def begin(self, resource, status):
        """Show what is under way, as the API does before it casts."""
        table = models.share_instances
        if isinstance(resource, Snapshot):
            table = models.share_snapshot_instances
        values = {"status": status, "updated_at": now()}
        self.database.run(lambda c: _update(c, table, resource.instance_id, **values))

    def rule(self, share, address="10.0.0.2", state="active"):
        rule, mapping = str(uuid.uuid4()), str(uuid.uuid4())

        def work(connection):
            connection.execute(
                models.share_access_map.insert(),
                {"id": rule, "share_id": share.share_id, "access_type": "ip",
                 "access_to": address, "access_level": "rw", "deleted": "False"},
            )  # fmt: skip
            connection.execute(
                models.share_instance_access_map.insert(),
                {"id": mapping, "share_instance_id": share.instance_id, "access_id": rule,
                 "state": state, "created_at": now(), "deleted": "False"},
            )  # fmt: skip

        self.database.run(work)
        return rule, mapping

    def rule_of_snapshot(self, snapshot, address="10.0.0.2", state="queued_to_apply"):
        rule = str(uuid.uuid4())

        def work(connection):
            connection.execute(
                models.share_snapshot_access_map.insert(),
                {"id": rule, "share_snapshot_id": snapshot.snapshot_id, "access_type": "ip",
                 "access_to": address, "deleted": "False"},
            )  # fmt: skip
            connection.execute(
                models.share_snapshot_instance_access_map.insert(),
                {"id": str(uuid.uuid4()), "share_snapshot_instance_id": snapshot.instance_id,
                 "access_id": rule, "state": state, "created_at": now(), "deleted": "False"},
            )  # fmt: skip

        self.database.run(work)
        return rule

    def rule_states(self, resource):
        """{rule: its state} of a share instance, or of a snapshot instance."""
        table, column = models.share_instance_access_map, "share_instance_id"
        if isinstance(resource, Snapshot):
            table, column = models.share_snapshot_instance_access_map, "share_snapshot_instance_id"
        found = self.all(table, deleted="False", **{column: resource.instance_id})
        return {row["access_id"]: row["state"] for row in found}

    def reserve(self, share, gigabytes):
        """Reserve as the API does: for the user, and for the share type; return the uuids."""
        table = models.quota_usages

        def work(connection):
            query = sa.select(table).where(
                table.c.project_id == share.project_id, table.c.resource == "gigabytes"
            )
            made = []
            for usage in connection.execute(query).mappings().all():
                made.append(str(uuid.uuid4()))
                connection.execute(
                    models.reservations.insert(),
                    {"uuid": made[-1], "usage_id": usage["id"], "deleted": 0,
                     "project_id": share.project_id, "resource": "gigabytes",
                     "delta": gigabytes, "user_id": usage["user_id"],
                     "share_type_id": usage["share_type_id"],
                     "expire": now() + datetime.timedelta(hours=1)},
                )  # fmt: skip
                values = {"reserved": usage["reserved"] + gigabytes}
                _update(connection, table, usage["id"], **values)
            return made

        return self.database.run(work)

    # -- as the API reads them -----------------------------------------------------------------

    def all(self, table, **where):
        query = sa.select(table)
        for name, value in where.items():
            query = query.where(table.c[name] == value)
        found = self.database.run(lambda c: c.execute(query).mappings().all(), write=False)
        return [dict(row) for row in found]

    def one(self, table, **where):
        (row,) = self.all(table, **where)
        return row

    def instance(self, share):
        return self.one(models.share_instances, id=share.instance_id)

    def of_share(self, share):
        return self.one(models.shares, id=share.share_id)

    def of_snapshot(self, snapshot):
        return self.one(models.share_snapshot_instances, id=snapshot.instance_id)

    def status(self, resource):
        row = self.of_snapshot if isinstance(resource, Snapshot) else self.instance
        return row(resource)["status"]

    def exports(self, share):
        table = models.share_instance_export_locations
        return [row["path"] for row in self.all(table, share_instance_id=share.instance_id,
                                                deleted=0)]  # fmt: skip

    def usage(self, share):
        """{resource: (in use by the user, by the type, reserved for the user, for the type)}"""
        found = {}
        for row in self.all(models.quota_usages, project_id=share.project_id):
            place = 0 if row["share_type_id"] is None else 1
            values = found.setdefault(row["resource"], [None] * 4)
            values[place], values[place + 2] = row["in_use"], row["reserved"]
        return {resource: tuple(values) for resource, values in found.items()}

    def reservations(self, uuids):
        """How many of them are live."""
        table = models.reservations
        return sum(len(self.all(table, uuid=uuid, deleted=0)) for uuid in uuids)

    def messages(self, resource_id):
        """(project, action, detail) of the messages about a resource."""
        found = self.database.run(lambda c: messages.list_messages(c, resource_id), write=False)
        return [(row["project_id"], row["action_id"], row["detail_id"]) for row in found]

    def operations(self, **where):
        """Operations, oldest first."""
        return sorted(self.all(models.lite.operations, **where), key=lambda row: row["id"])

    def finished(self, **where):
        """The newest operation of that kind, if it came to its end."""
        found = self.operations(**where)
        return found[-1] if found and found[-1]["finished"] else None

    def letters(self, **where):
        return self.all(models.lite.dead_letters, **where)


def _update(connection, table, key, **values):
    connection.execute(table.update().where(table.c.id == key).values(**values))
