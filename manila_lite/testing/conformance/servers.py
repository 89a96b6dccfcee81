# SPDX-License-Identifier: Apache-2.0
"""Scenarios of share servers, for back ends that handle them."""

from __future__ import annotations

import sqlalchemy as sa

from manila_lite import server_states, states
from manila_lite.db import models, share_server_changes
from manila_lite.db.records import Record
from manila_lite.testing.conformance import makers
from manila_lite.testing.conformance.scenarios import Scenario
from manila_lite.testing.conformance.site import SUBNET, Site

_SERVERS = models.share_servers


def remove_all(site: Site) -> None:
    """Have the driver remove every share server; nothing may be on them any more."""
    for row in site.rows(_SERVERS, deleted="False"):
        site.do("delete_share_server", share_server_id=row["id"])


class OfServer(Scenario):
    """A scenario about a share server that nothing is on. No message tells users of it."""

    can_be_unsupported = False
    error = server_states.ERROR
    server: str
    share: Record

    @classmethod
    def unclaimed(cls, site: Site) -> str | None:
        return None if site.has_share_servers else "driver_handles_share_servers = True"

    def prepare(self) -> None:
        """The share is what the server is made for; it is never made itself."""
        self.share = makers.insert_share(self.site)
        self.site.update(makers.INSTANCES, self.share["instance_id"], status=states.ERROR)
        with self.site.database.writer() as connection:
            self.server = share_server_changes.new_server(
                connection,
                self.site.clock.now(),
                host=self.site.host,
                subnet_ids=[SUBNET],
                status=server_states.CREATING,
            )

    @property
    def resource(self) -> tuple[sa.Table, str, str]:
        return _SERVERS, self.server, self.server

    def told(self) -> bool:
        return True

    def set_up(self) -> str:
        return self.cast(
            "create_share_server",
            share_server_id=self.server,
            share_instance_id=self.share["instance_id"],
        )

    def clean_up(self) -> None:
        instance_id = self.share["instance_id"]
        self.site.update(makers.INSTANCES, instance_id, deleted=instance_id)
        remove_all(self.site)


class SetUpServer(OfServer):
    name = "setup_server"
    methods = ("setup_server",)

    def begin(self) -> str:
        return self.set_up()

    def check(self) -> None:
        assert self.status() == server_states.ACTIVE, f"the share server is {self.status()}"


class TearDownServer(OfServer):
    name = "teardown_server"
    methods = ("teardown_server",)

    def prepare(self) -> None:
        super().prepare()
        row = self.site.finish(self.set_up())
        assert row["state"] == "succeeded", f"no share server could be set up: {row['error']}"

    def begin(self) -> str:
        return self.cast("delete_share_server", share_server_id=self.server)

    def check(self) -> None:
        row = self.site.row(_SERVERS, self.server)
        assert row["deleted"] == row["id"], "the share server is not deleted"


SCENARIOS: tuple[type[Scenario], ...] = (SetUpServer, TearDownServer)
