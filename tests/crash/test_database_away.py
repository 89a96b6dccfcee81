# SPDX-License-Identifier: Apache-2.0
"""The database is restarted, or away for a minute, in mid-load."""

import threading

import pytest
from sqlalchemy.engine import make_url

from tests.crash.count import NOTHING_WRONG
from tests.crash.site import Background
from tests.fixtures.daemon import poll
from tests.fixtures.postgresql import running_postgresql
from tests.fixtures.proxy import Proxy

BEFORE, DURING, AFTER = 40, 60, 10
OUTAGE = 60.0  # seconds
LOAD = {"ours": {"operation_threads": 16}, "backend": {"scripted_delay": 0.1}}


@pytest.fixture(scope="module")
def private_postgresql():
    with running_postgresql() as server:
        yield server


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_no_cast_is_lost_or_doubled_when_the_database_is_restarted_in_mid_load(
    sites, private_postgresql, rabbitmq, way
):
    site = sites(private_postgresql.url, broker=rabbitmq, **LOAD)
    site.ask(site.creations(BEFORE))
    site.start()
    poll(lambda: site.finished() >= 5, "the first operations")
    casting = Background(site, DURING)
    poll(lambda: len(site.casts) >= BEFORE + DURING // 4, "casts in mid-load")
    getattr(private_postgresql, way)()
    private_postgresql.start()
    casting.join()
    site.ask(site.creations(AFTER))
    poll(site.settled, "the end of all operations", 60)
    assert site.count() == NOTHING_WRONG
    assert len(site.casts) == BEFORE + DURING + AFTER


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_database_that_is_away_for_a_minute_costs_nothing_but_the_minute(sites, urls, rabbitmq):
    ways = {}
    for kind in ("postgresql", "mariadb"):
        url = make_url(urls(kind))
        proxy = Proxy(url.host, url.port or Proxy.PORTS[url.get_backend_name()])
        cut = url.set(host="127.0.0.1", port=proxy.port)
        site = sites(
            cut.render_as_string(hide_password=False),
            direct_url=urls(kind),
            broker=rabbitmq,
            **LOAD,
        )
        ways[site] = proxy
    try:
        for site in ways:
            site.ask(site.creations(BEFORE))
            site.start()
        for site, proxy in ways.items():
            poll(lambda site=site: site.finished() >= 5, "the first operations")
            proxy.close_way()
        for site in ways:
            site.ask(site.creations(DURING))
        at_the_cut = [site.finished() for site in ways]
        # Nothing can be told from outside while they wait: the time itself is the test.
        threading.Event().wait(OUTAGE)
        assert [site.finished() for site in ways] == at_the_cut
        for proxy in ways.values():
            proxy.open_way()
        for site in ways:
            site.ask(site.creations(AFTER))
        for site in ways:
            poll(site.settled, "the end of all operations", 60)
        assert [site.count() for site in ways] == [NOTHING_WRONG] * len(ways)
        assert [site.daemon.process.poll() for site in ways] == [None] * len(ways)
    finally:
        for proxy in ways.values():
            proxy.close_way()
