# SPDX-License-Identifier: Apache-2.0
"""Snapshots of a volume that a guest has: Nova moves the guest from one image to another.

Each is a row of steps around one wait, so that no thread is held while Nova works:

* what the driver does before (an overlay, a plan);
* in one transaction: the intent to ask Nova, and that nothing Nova said before counts any more;
* the question. It is asked once. Whoever does not know whether Nova heard it waits as if it had;
* the wait, for Nova's word or, should Nova say nothing, for what the images show;
* what the driver does after (``.info``, a file that is of no use any more).

Nova's word is not believed against the images: one that came late, from an earlier request, would
have a file removed that a guest still has. Where neither says anything until the deadline, nothing
is removed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from oslo_log import log

from manila_lite import exception, volume_states
from manila_lite.db import volume_snapshots
from manila_lite.db import volumes as volume_rows
from manila_lite.db.records import Record
from manila_lite.engine import Done, Operation, Pending, Schedule
from manila_lite.engine.outcomes import WaitTimedOut
from manila_lite.engine.shown import describe
from manila_lite.volume.environment import Nova, VolumeEnvironment
from manila_lite.volume.flows import common

#: How often Nova's word is looked for: (seconds waited so far, interval).
SCHEDULE: Final = Schedule(((0, 1), (10, 2), (20, 5), (60, 10)))
#: Seconds without a word after which the images are looked at; then after twice as long, and so on.
FIRST_LOOK: Final = 60.0
#: Nova's progress in every callback, whatever became of the request.
SPOKEN: Final = "90%"

#: The step that says: it was begun once, it failed, and others may have come since.
GIVEN_UP: Final = "given up"
#: The step that notes the intent to ask Nova.
ASKING: Final = "asking"
WAIT: Final = "nova"

# Whether Nova got the request.
YES, PERHAPS, NO = "yes", "perhaps", "no"

# What a wait ends with.
NOVA_IS_DONE: Final = "Nova says that it is done"
NOVA_FAILED: Final = "Nova says that it failed"
IMAGES_SAY_SO: Final = "the images show that it is done"
SOMEBODY_ELSE: Final = "somebody else has changed the snapshot's status"

# What drivers answer about a creation and a deletion; anything else is "unknown".
SWITCHED, UNSWITCHED = "switched", "unswitched"
MERGED, UNMERGED = "done", "undone"


LOG = log.getLogger(__name__)


class NovaNotConfigured(exception.BadConfigurationException):
    message = (
        "Volume %(volume_id)s is attached, and only Nova can do anything about its snapshots; "
        "section [nova] does not say how to reach it."
    )


class NovaDidNotDoIt(exception.RemoteFSException):
    message = "Nova did not %(what)s: %(reason)s"


class NotAgain(exception.RemoteFSException):
    """A plan is made for the images as they lie; they may lie otherwise by now."""

    message = "This request was given up after Nova had been asked; make a new one."


class NobodyKnows(exception.RemoteFSException):
    message = (
        "It cannot be told whether Nova did %(what)s: %(reason)s. Nothing was removed. See what "
        "'manila-lite volume check' finds."
    )


def is_due(op: Operation, snapshot: Record) -> bool:
    """Whether a guest has the volume; and once Nova was asked, whatever became of the guest."""
    return op.is_done(ASKING) or at_rest(snapshot["volume"]) == volume_states.IN_USE


def at_rest(volume: Mapping[str, Any]) -> str:
    """The volume's status without what another operation, later in its lane, has in mind."""
    status: str = volume["status"]
    later = (volume_states.EXTENDING, volume_states.UPLOADING, volume_states.REVERTING)
    return volume_rows.resting_status(volume) if status in later else status


def has_phases(environment: VolumeEnvironment) -> bool:
    """Whether the driver can be asked step by step. One that cannot blocks until Nova is done."""
    return bool(getattr(environment.driver, "has_online_phases", False))


# -- create ------------------------------------------------------------------------------------


def create(op: Operation, snapshot: Record) -> dict[str, Any] | None:
    """Snapshot a volume that a guest has; return the driver's model update, if any."""
    driver = op.env.driver
    if not has_phases(op.env):
        return _blocking(op, snapshot, driver.create_snapshot)
    nova = _nova(op, snapshot)
    info = common.phase(op, "overlay", driver.prepare_online_snapshot, snapshot)
    with _once_only(op):
        _switch(op, snapshot, nova, info)
        common.phase(op, "complete", driver.complete_online_snapshot, snapshot)
    return None


def _switch(op: Operation, snapshot: Record, nova: Nova, info: Mapping[str, Any]) -> None:
    _ask_once(
        op,
        snapshot,
        functools.partial(nova.create_volume_snapshot, op.context, snapshot["volume_id"], info),
    )
    watch = Watch(
        op.env,
        snapshot["id"],
        volume_states.CREATING,
        functools.partial(op.env.driver.online_snapshot_state, snapshot),
        SWITCHED,
        UNSWITCHED,
        float(op.env.conf.nova_snapshot_create_timeout),
    )
    _wait(op, watch, "switch the guest to the new image")


def abandon(op: Operation, snapshot: Record) -> None:
    """Have the overlay of a creation that failed removed, if the driver can prove it unused."""
    if not has_phases(op.env) or not op.is_done("overlay") or op.is_done("complete"):
        return
    try:
        op.env.driver.abandon_online_snapshot(snapshot)
    except Exception as error:
        LOG.warning("The image of snapshot %s stays for now: %s", snapshot["id"], error)


def was_switched(op: Operation, snapshot: Record) -> bool:
    """Whether a guest is on the image of a snapshot whose creation nobody looks after any more."""
    volume = snapshot["volume"]
    if volume is None or at_rest(volume) != volume_states.IN_USE or not has_phases(op.env):
        return False
    if op.is_done("complete"):
        return True
    return bool(op.env.driver.online_snapshot_state(snapshot) == SWITCHED)


# -- delete ------------------------------------------------------------------------------------


def delete(op: Operation, snapshot: Record) -> None:
    """Delete a snapshot of a volume that a guest has."""
    driver = op.env.driver
    if not has_phases(op.env):
        _blocking(op, snapshot, driver.delete_snapshot)
        return
    planned = common.phase(op, "plan", _plan, driver, snapshot)
    plan = planned["plan"]
    if plan is None:
        return
    with _once_only(op):
        if planned["state"] != MERGED:
            _merge(op, snapshot, plan)
        common.phase(op, "complete", driver.complete_online_deletion, snapshot, plan)


def _plan(driver: Any, snapshot: Record) -> dict[str, Any]:
    """Plan from what lies on the storage; an earlier request may have been done late."""
    plan = driver.plan_online_deletion(snapshot)
    return {"plan": plan, "state": plan and driver.online_deletion_state(snapshot, plan)}


def _merge(op: Operation, snapshot: Record, plan: Mapping[str, Any]) -> None:
    nova = _nova(op, snapshot)
    question = functools.partial(
        nova.delete_volume_snapshot, op.context, snapshot["id"], plan["delete_info"]
    )
    try:
        _ask_once(op, snapshot, question)
    except Exception:
        _forget_plan(op, snapshot, plan)
        raise
    watch = Watch(
        op.env,
        snapshot["id"],
        volume_states.DELETING,
        functools.partial(op.env.driver.online_deletion_state, snapshot, plan),
        MERGED,
        UNMERGED,
        float(op.env.conf.nova_snapshot_delete_timeout),
    )
    _wait(op, watch, "merge the image of the snapshot")


def _forget_plan(op: Operation, snapshot: Record, plan: Mapping[str, Any]) -> None:
    """Have the driver note that nothing is under way, so that other snapshots can be deleted.

    Only where Nova did not take the request, nor any earlier one that nobody knows the end of.
    An error that Nova reports later is no such proof: the hypervisor may go on merging when Nova
    has lost sight of it.
    """
    if plan.get("asked_before", True):
        return
    try:
        op.env.driver.abandon_online_deletion(snapshot)
    except Exception as error:
        LOG.warning("Snapshot %s still counts as being deleted: %s", snapshot["id"], error)


# -- what both have in common ------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class Watch:
    """The probe of a wait for Nova. Cheap while Nova is silent: thousands are asked by one process.

    own: the snapshot's status while Nova works. state: asks the driver what the images show;
    done, undone: its two certain answers. timeout: seconds that Nova has in all.
    """

    environment: VolumeEnvironment
    snapshot_id: str
    own: str
    state: Callable[[], str]
    done: str
    undone: str
    timeout: float
    _pause: float = 0.0
    _next_look: float = 0.0

    def __post_init__(self) -> None:
        self._pause = min(FIRST_LOOK, self.timeout / 4)
        self._next_look = self.environment.clock.monotonic() + self._pause

    def __call__(self) -> Any:
        """Return how the wait ended, or Pending."""
        word = self.environment.snapshot_words.get(self.snapshot_id)
        if word is None:
            return SOMEBODY_ELSE
        said, progress = word
        if (said == self.own and progress == SPOKEN) or self._is_available(said):
            # Late words of an earlier request are told from this one's by what the images show.
            return Pending() if self._seen() in (None, self.undone) else NOVA_IS_DONE
        if said != self.own:
            return NOVA_FAILED if progress == SPOKEN else SOMEBODY_ELSE
        return IMAGES_SAY_SO if self._shows_itself() else Pending()

    def _is_available(self, said: str) -> bool:
        """Nova may also say so; it is the status that the flow would put there itself."""
        return said == volume_states.AVAILABLE and self.own == volume_states.CREATING

    def _shows_itself(self) -> bool:
        """Nova's callback may be lost: look by oneself, ever more seldom."""
        now = self.environment.clock.monotonic()
        if now < self._next_look:
            return False
        self._pause *= 2
        self._next_look = now + self._pause
        return self._seen() == self.done

    def _seen(self) -> str | None:
        """What the images show; None while they cannot be looked at, which says nothing of Nova."""
        try:
            return self.state()
        except Exception as error:
            LOG.warning("The images of snapshot %s are not to be seen: %s", self.snapshot_id, error)
            return None


@contextlib.contextmanager
def _once_only(op: Operation) -> Iterator[None]:
    """Note a failure in here, so that an operator's retry of the operation does nothing."""
    if op.is_done(GIVEN_UP):
        raise NotAgain()
    try:
        yield
    except Exception:
        op.record(GIVEN_UP, [])
        raise


def _ask_once(op: Operation, snapshot: Record, send: Callable[[], Any]) -> None:
    """Ask Nova. Raises NovaDidNotDoIt where it certainly will not do it."""
    op.record(ASKING, volume_snapshots.progress_cleared(snapshot["id"], op.clock.now()))
    answer = op.step(
        "ask nova",
        _send,
        send,
        # Never again: nobody knows whether the first request is queued.
        probe=functools.partial(Done, {"heard": PERHAPS, "reason": "the service was stopped"}),
        retry=common.DRIVER,
    )
    if answer["heard"] == NO:
        raise NovaDidNotDoIt(what="take the request", reason=answer["reason"])


def _send(send: Callable[[], Any]) -> dict[str, str]:
    """Send the request; an error that says that Nova never got it is raised, to be tried again."""
    try:
        send()
    except Exception as error:
        kind = exception.classify(error)
        if kind is exception.ErrorKind.TRANSIENT:
            raise
        in_doubt = kind is exception.ErrorKind.IN_DOUBT
        return {"heard": PERHAPS if in_doubt else NO, "reason": describe(error)}
    return {"heard": YES, "reason": ""}


def _wait(op: Operation, watch: Watch, what: str) -> None:
    """Wait until it is done. Raises NovaDidNotDoIt, or NobodyKnows."""
    try:
        end = op.wait(WAIT, watch, schedule=SCHEDULE, deadline=watch.timeout)
    except WaitTimedOut:
        end = f"it said nothing for {watch.timeout:.0f} s"
    if end in (NOVA_IS_DONE, IMAGES_SAY_SO) or op.is_done("complete"):
        return
    state = watch.state()
    if state == watch.undone:
        raise NovaDidNotDoIt(what=what, reason=end)
    if state != watch.done:
        raise NobodyKnows(what=what, reason=end)


def _blocking(
    op: Operation, snapshot: Record, function: Callable[..., Any]
) -> dict[str, Any] | None:
    """Have a driver that knows no phases do it all; it holds a thread until Nova is done."""
    op.record(ASKING, volume_snapshots.progress_cleared(snapshot["id"], op.clock.now()))
    update: dict[str, Any] | None = op.step("driver", function, snapshot, retry=common.DRIVER)
    return update


def _nova(op: Operation, snapshot: Record) -> Nova:
    if op.env.nova is None:
        raise NovaNotConfigured(volume_id=snapshot["volume_id"])
    nova: Nova = op.env.nova
    return nova
