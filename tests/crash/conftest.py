# SPDX-License-Identifier: Apache-2.0
"""Sites: daemons with a driver that remembers, on databases and brokers that tests share."""

import contextlib
import itertools
import uuid

import pytest

from manila_lite.db.session import Database
from manila_lite.db.sync import sync
from tests.crash.site import Site
from tests.fixtures.databases import fresh_url

DRIVER = "tests.crash.drivers.RememberingDriver"

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    """Function from a kind to a database: SQLite makes a new one, servers one for the module.

    On a server, hosts of different names keep the tests apart, as those of one region are.
    """
    made = {}
    with contextlib.ExitStack() as stack:

        def get(kind):
            if kind in made:
                return made[kind]
            url = stack.enter_context(fresh_url(kind, tmp_path_factory.mktemp(kind)))
            database = Database(url)
            sync(database)
            database.close()
            if kind != "sqlite":
                made[kind] = url
            return url

        yield get


@pytest.fixture(scope="module")
def exchange():
    """Names on the broker that nothing else uses."""
    unique = uuid.uuid4().hex[:8]
    return {"control_exchange": f"openstack-{unique}", "share_topic": f"manila-share-{unique}"}


@pytest.fixture
def sites(daemons, exchange, tmp_path):
    """A function that makes sites: sites(url, broker=..., ours={...}, backend={...})."""
    made = []

    def make(
        url,
        *,
        broker=None,
        calls=None,
        host=None,
        backend=None,
        default=None,
        driver=DRIVER,
        **options,
    ):
        calls = calls or tmp_path / f"calls-{len(made)}"
        daemon = daemons(
            url,
            transport_url=broker.url if broker is not None else None,
            host=host or f"crash{next(_numbers)}",
            driver=driver,
            default={**(exchange if broker is not None else {}), **(default or {})},
            backend={"scripted_journal": calls, **(backend or {})},
            **options,
        )
        made.append(Site(daemon, calls))
        if broker is not None:
            made[-1].declare_queue()
        return made[-1]

    yield make
    for site in made:
        site.close()
