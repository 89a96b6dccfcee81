# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite import exception
from manila_lite.context import RequestContext
from manila_lite.db import export_locations
from manila_lite.db.writes import execute_writes
from manila_lite.engine import registry


@pytest.fixture
def share(site):
    share = site.add_share("available")
    with site.database.writer() as connection:
        writes = export_locations.add(share["instance_id"], ["10.0.0.1:/x"], site.clock.now())
        execute_writes(connection, [writes])
    return share


def ask(site, instance_id):
    return registry.flows["connection_get_info"].function(
        site.environment, RequestContext(is_admin=True), share_instance_id=instance_id
    )


def test_the_drivers_answer_is_returned(site, share):
    answer = ask(site, share["instance_id"])

    assert "10.0.0.1:/x" in answer["mount"]
    assert "%(path)s" in answer["unmount"]
    assert answer["access_mapping"] == {"ip": ["nfs"]}


def test_an_error_of_the_driver_is_the_callers(site, share):
    def fail(*args, **kwargs):
        raise exception.ShareBackendException(msg="unreachable")

    site.driver.connection_get_info = fail

    with pytest.raises(exception.ShareBackendException, match="unreachable"):
        ask(site, share["instance_id"])


def test_an_instance_that_is_not_there_is_named(site):
    with pytest.raises(exception.NotFound, match="gone-instance"):
        ask(site, "gone-instance")
