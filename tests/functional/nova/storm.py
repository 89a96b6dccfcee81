# SPDX-License-Identifier: Apache-2.0
"""Snapshots made and deleted at random, on volumes whose guests go on writing, amid faults."""

from __future__ import annotations

import random
from collections import Counter

from manila_lite import volume_states as states
from tests.fixtures.daemon import poll
from tests.functional.nova import checks
from tests.functional.nova.nova import CREATE, DELETE, NONE, Trouble
from tests.functional.nova.site import Site, Volume

_MOST_SNAPSHOTS = 5
_SHARE_OF_FAULTS = 0.1
_CHECKED_EVERY = 8

#: How long the service of a storm waits for Nova: a busy machine must not be taken for silence.
SECONDS_FOR_NOVA = 12

#: Late ones come within the time that the service waits, and after it.
FAULTS = {
    "lost": Trouble(callbacks=()),
    "doubled": Trouble(callbacks=(0.0, 0.1)),
    "late": Trouble(callbacks=(2.0,)),
    "too late": Trouble(callbacks=(SECONDS_FOR_NOVA + 2.0,)),
    "broken": Trouble(broken=True),
    "failed": Trouble(fails=True),
    "blind": Trouble(blind=True),
}
#: Nova takes a job that failed for one that is done; it has no such doubt about a snapshot.
FAULTS_OF_DELETES = {**FAULTS, "claimed": Trouble(fails=True, claims=True)}


class Faults:
    """Troubles for a Nova, at random; counts how often each came about."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.count: Counter[str] = Counter()

    def __call__(self, kind: str, snapshot_id: str) -> Trouble:
        known = FAULTS if kind == CREATE else FAULTS_OF_DELETES
        if self._random.random() >= _SHARE_OF_FAULTS:
            return NONE
        name = self._random.choice(sorted(known))
        self.count[name] += 1
        return known[name]


class Course:
    """What happens to one volume: one operation after the other, and its state checked between.

    made: ids of the snapshots that are there, the oldest first.
    """

    def __init__(self, site: Site, volume: Volume, seed: int, operations: int) -> None:
        self._site = site
        self._volume = volume
        self._guest = site.guests[volume.id]
        self._random = random.Random(seed)
        self._left = operations
        self._open: tuple[str, str, str] | None = None
        self._since_check = 0
        self.made: list[str] = []
        self.finished = 0
        self.failed: Counter[str] = Counter()
        self.places: Counter[str] = Counter()
        self.asked: Counter[tuple[str, str]] = Counter()

    def __str__(self) -> str:
        return (
            f"{self.finished} operations finished, {self._left} to come, under way: {self._open}, "
            f"failed: {dict(self.failed)}, places: {dict(self.places)}, "
            f"writes of the guest: {self._guest.writer.written}"
        )

    def advance(self) -> bool:
        """Go on where the operation that was under way is over; whether all are."""
        if self._open is not None and not self._settle():
            return False
        if self._left == 0:
            return True
        self._left -= 1
        self._open = self._next()
        return False

    def check(self) -> None:
        """Everything on the disk is as it must be; nothing is under way."""
        wrong = checks.wrong(self._guest, self._volume.path, self.made, killed=True)
        assert not wrong, wrong
        assert {id_: self._site.status(id_) for id_ in self.made} == dict.fromkeys(
            self.made, states.AVAILABLE
        )

    # -- inside --------------------------------------------------------------------------------

    def _next(self) -> tuple[str, str, str]:
        troubled = [id_ for id_ in self.made if self._site.status(id_) != states.AVAILABLE]
        if troubled:
            return self._delete(troubled[0], "again")
        if self._wants_more():
            snapshot_id, operation = self._site.ask_snapshot(self._volume)
            self.made.append(snapshot_id)
            self.asked[CREATE, snapshot_id] += 1
            return CREATE, snapshot_id, operation
        place = self._random.choice(["oldest", "middle", "active"])
        number = {"oldest": 0, "middle": len(self.made) // 2, "active": -1}[place]
        return self._delete(self.made[number], place)

    def _wants_more(self) -> bool:
        return len(self.made) < self._random.randint(1, _MOST_SNAPSHOTS)

    def _delete(self, snapshot_id: str, place: str) -> tuple[str, str, str]:
        self.places[place] += 1
        self.asked[DELETE, snapshot_id] += 1
        return DELETE, snapshot_id, self._site.ask_deletion(snapshot_id)

    def _settle(self) -> bool:
        """Whether the operation that was under way is over; take note of what became of it."""
        assert self._open is not None
        kind, snapshot_id, operation = self._open
        found = self._site.finished(operation)
        if found is None:
            return False
        self._open = None
        self.finished += 1
        status = self._site.status(snapshot_id)
        if status is None:
            self.made.remove(snapshot_id)
        if found["state"] != "succeeded":
            self.failed[kind] += 1
            self._left += 1  # what was wanted is still to be done
        self._look(status)
        return True

    def _look(self, status: str | None) -> None:
        """The guest's own disk each time; all the rest now and then, where nothing failed."""
        assert not self._guest.differences(), "what the guest reads is not what it wrote"
        self._since_check += 1
        if status in (None, states.AVAILABLE) and self._since_check >= _CHECKED_EVERY:
            self._since_check = 0
            self.check()


class Storm:
    """All volumes of a site at once, and a service that is killed in between."""

    def __init__(self, site: Site, courses: list[Course], *, seed: int, kills: int) -> None:
        self._site = site
        self._courses = courses
        self._random = random.Random(seed)
        self._wanted = sum(course._left for course in courses)
        self.kills = 0
        self._most_kills = kills

    def run(self, timeout: float) -> None:
        try:
            poll(self._turn, "the end of the storm", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self}") from error

    def __str__(self) -> str:
        """What happened so far, for people."""
        lines = [f"{self.kills} kills", *map(str, self._courses)]
        return "\n".join(lines)

    def _turn(self) -> bool:
        over = [course.advance() for course in self._courses]
        if self.kills < self._most_kills and self._is_due():
            self.kills += 1
            self._site.daemon.kill()
            self._site.start()
        return all(over)

    def _is_due(self) -> bool:
        """At even distances, in a moment that depends on nothing."""
        done = sum(course.finished for course in self._courses)
        due = done >= self.kills * self._wanted // (self._most_kills + 1)
        return due and self._random.random() < 0.02
