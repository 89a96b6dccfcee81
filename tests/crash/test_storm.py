# SPDX-License-Identifier: Apache-2.0
"""300 casts of half a second each, and a daemon that nobody lets live for long."""

import time

import pytest

from tests.crash.count import NOTHING_WRONG
from tests.fixtures.daemon import happens

CASTS = 300
CALL_SECONDS = 0.5
LIFE = 2.0  # seconds from a start to the next end
# A machine on which nothing is done within so many lives is too slow for lives that short.
IN_VAIN = 3
MOST_LIVES = 100


class Weather:
    """Starts a daemon and has it ended, again and again, until everything is done."""

    def __init__(self, site, end):
        self._site = site
        self._end = end
        self.life = LIFE
        self.ends = 0
        self.seconds = 0.0

    def pass_over(self):
        began = time.monotonic()
        done = []
        while not self._live():
            self._end()
            self.ends += 1
            assert self.ends < MOST_LIVES, "the storm does not come to its end"
            done.append(self._site.finished())
            if len(done) > IN_VAIN and done[-1] == done[-1 - IN_VAIN]:
                self.life *= 1.5
                done.clear()
        self.seconds = time.monotonic() - began

    def _live(self):
        """Let it live for a while; whether all was done by then."""
        self._site.start()
        return happens(self._site.settled, self.life)

    def __str__(self):
        return f"{self.ends} ends in {self.seconds:.0f} s, the last lives of {self.life:.1f} s"


@pytest.fixture
def stormy(sites, urls, rabbitmq):
    """A site whose 300 casts wait in the broker."""
    site = sites(urls("postgresql"), broker=rabbitmq, backend={"scripted_delay": CALL_SECONDS})
    site.ask(site.creations(CASTS))
    return site


def completed(site):
    return len({entry["id"] for entry in site.calls.entries(method="create_share", phase="end")})


@pytest.mark.timeout(900)
def test_a_storm_of_kill_9_loses_nothing_repeats_nothing_and_leaves_nothing_stuck(stormy, capsys):
    weather = Weather(stormy, stormy.kill)
    weather.pass_over()
    with capsys.disabled():
        print(f"\nkill -9: {CASTS} casts, {weather}")
    assert stormy.count() == NOTHING_WRONG
    assert completed(stormy) == CASTS
    assert weather.ends >= 2


@pytest.mark.timeout(900)
def test_a_storm_of_sigterm_does_so_too_and_each_end_is_orderly(stormy, capsys):
    codes = []
    weather = Weather(stormy, lambda: codes.append(stormy.terminate()))
    weather.pass_over()
    with capsys.disabled():
        print(f"\nSIGTERM: {CASTS} casts, {weather}")
    assert stormy.count() == NOTHING_WRONG
    assert completed(stormy) == CASTS
    # What an orderly end lets finish leaves less for the next life.
    assert weather.ends >= 1
    assert set(codes) == {0}
    # What was running had its time: an orderly end interrupts no call.
    assert len(stormy.calls.entries(method="create_share", phase="begin")) == CASTS
