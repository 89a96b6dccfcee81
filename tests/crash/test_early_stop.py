# SPDX-License-Identifier: Apache-2.0
"""A stop that comes before the daemon has begun."""

from pathlib import Path

from tests.fixtures.daemon import poll


def catches_sigterm(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(line.split()[1] for line in lines if line.startswith("SigCgt"))
    return int(caught, 16) & 1 << 14


def test_a_daemon_that_is_told_to_stop_while_it_loads_exits_in_good_order(sites, urls):
    site = sites(urls("sqlite"))
    site.start()
    poll(lambda: catches_sigterm(site.daemon.pid), "a handler of SIGTERM")
    assert site.terminate() == 0
