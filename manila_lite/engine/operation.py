# SPDX-License-Identifier: Apache-2.0
"""The operation as a flow sees it: steps, waits, progress and the end."""

from __future__ import annotations

import datetime
import sys
import types
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from manila_lite import exception, jsontext
from manila_lite.clock import Clock
from manila_lite.context import RequestContext
from manila_lite.db import operations as rows
from manila_lite.db import owned_updates
from manila_lite.db.owned_updates import OwnedUpdate
from manila_lite.db.writes import Write, flat
from manila_lite.engine import commits, crashpoints, outcomes, retry
from manila_lite.engine.commits import Bundle, GroupCommitter
from manila_lite.engine.outcomes import Pending, Schedule, Suspended, Waiter
from manila_lite.engine.retry import RetryPolicy
from manila_lite.engine.settings import ERROR, EngineSettings
from manila_lite.engine.shown import as_progress, describe

BEGUN = "begun"
DONE = "done"
AGAIN_LATER = "again"
WAITING = "waiting"
FAILED = "failed"

# Nobody can write to it: it stands in many operations.
_NOTHING: Any = types.MappingProxyType({})
# Well below what a database server takes in one statement.
_MAX_RESULT = 4 * 1024 * 1024


def _never() -> bool:
    return False


class Operation:
    """One dispatch of an operation.

    Lives from the claim, or from a resumption, until the flow returns, waits or fails. Not
    shared between threads, but for `cancel_requested` and `draining`, which only ever turn true.
    """

    def __init__(
        self,
        row: dict[str, Any],
        *,
        committer: GroupCommitter,
        clock: Clock,
        settings: EngineSettings,
        env: Any = None,
        answers: dict[str, Callable[[], Any]] | None = None,
        is_certain: Callable[[], bool] = _never,
    ) -> None:
        """answers: what probes of waits said while the flow was suspended, by the wait's name.

        is_certain: whether nobody can have taken the operation over since it was claimed.
        """
        self.id: int = row["id"]
        self.uuid: str = row["uuid"]
        self.host: str = sys.intern(row["host"])
        self.lane: str = row["lane"]
        self.method: str = sys.intern(row["method"])
        self.version: str = sys.intern(row["version"])
        self.arguments: dict[str, Any] = jsontext.decode(row["arguments"])
        self.request_id: str | None = row["request_id"]
        self.resource_type: str | None = row["resource_type"]
        self.resource_id: str | None = row["resource_id"]
        self.env = env
        self.clock = clock
        self.dispatches: int = row["dispatches"]
        self.cancel_requested: bool = row["request"] == rows.CANCEL
        self.draining = False
        self.finished = False
        self._context: str | bytes = row["context"]
        self._parsed_context: RequestContext | None = None
        self.owner: str = row["owner"]
        self.fence: int = row["fence"]
        self.revision: int = row["revision"]
        self._steps: dict[str, dict[str, Any]] = jsontext.decode(row["steps"])
        self.shown_progress: str | None = row["progress"]
        self._committer = committer
        self._settings = settings
        self._answers = answers or {}
        # The step whose intent the claim recorded, until it is known whether the flow begins so.
        self._announced: str | None = row.get("announced")
        self._is_certain = is_certain
        self.cleaning_up = False

    @property
    def context(self) -> RequestContext:
        """The request context of the cast, without tokens."""
        if self._parsed_context is not None:
            return self._parsed_context
        text = self._context
        if isinstance(text, bytes):
            text = zlib.decompress(text).decode()
        parsed = RequestContext.from_journal(jsontext.decode(text))
        if self.arguments is not _NOTHING:
            self._parsed_context = parsed
        return parsed

    def let_go(self) -> None:
        """Drop what only an entered flow needs: the probe of a wait may hold this for days.

        The arguments are gone then; the row has them for the flow's next entry.
        """
        self.arguments = _NOTHING
        self._steps = _NOTHING
        self._answers = _NOTHING
        if isinstance(self._context, str):
            self._context = zlib.compress(self._context.encode(), 1)
        self._parsed_context = None
        self._is_certain = _never

    # -- steps ---------------------------------------------------------------------------------

    def is_done(self, name: str) -> bool:
        """Whether a step or a wait of that name is recorded: the flow came as far before."""
        record = self._steps.get(name)
        return record is not None and record["state"] == DONE

    def step(
        self,
        name: str,
        function: Callable[..., Any],
        *args: Any,
        probe: Callable[[], Any] | None = None,
        retry: RetryPolicy | str | None = None,  # noqa: F811
        **kwargs: Any,
    ) -> Any:
        """Run function(*args, **kwargs) at least once and record its result.

        The intent is in the database before the function runs. A step that is recorded is never
        run again: its result comes back as it was recorded, that is as plain JSON. When the
        worker died or the driver timed out in between, `probe` is asked first: it returns
        Done(result), AGAIN, or raises. Without a probe interrupted_operation_policy decides.

        retry: a policy or the name of one; without it an error ends the flow.
        Raises whatever the function raised when it is not tried again.
        """
        record = self._steps.get(name)
        if record is not None and record["state"] == DONE:
            return record.get("result")
        self._check()
        policy = self._policy(retry)
        in_doubt = record is not None and record["state"] == BEGUN and name != self._announced
        try:
            if in_doubt:
                verdict = self._resolve(name, probe)
                if isinstance(verdict, outcomes.Done):
                    return self._record(name, verdict.result)
                in_doubt = False
            self._begin(name)
            crashpoints.reach("effect.before")
            result = function(*args, **kwargs)
            crashpoints.reach("effect.after")
        except outcomes.ERRORS as error:
            self._fail_step(name, error, policy, asked=in_doubt, probed=probe is not None)
            raise
        return self._record(name, result)

    def record(self, name: str, writes: Sequence[Write]) -> None:
        """Make database writes a step of their own: exactly once, with the operation's row."""
        record = self._steps.get(name)
        if record is not None and record["state"] == DONE:
            return
        self._check()
        self._withdraw()
        self._steps[name] = {"state": DONE}
        try:
            self._save(commits.INTENT, rows.RUNNING, writes=writes)
        except Exception:
            # Refused, and so not done: the next write must not say that it was.
            del self._steps[name]
            raise

    def wait(
        self,
        name: str,
        probe: Callable[[], Any],
        *,
        schedule: Schedule = outcomes.DEFAULT_SCHEDULE,
        deadline: float | None = None,
    ) -> Any:
        """Return what the probe returns once that is not Pending; hold no thread until then.

        deadline: seconds since the wait began, over restarts too, after which WaitTimedOut is
        raised. A probe's error ends the wait when it is final, else the wait goes on.
        The probe is kept in memory meanwhile: let it hold what it needs and no more. op.arguments
        are empty when it is asked again.
        """
        record = self._steps.get(name)
        if record is not None and record["state"] == DONE:
            return record.get("result")
        self._check()
        self._withdraw()
        record = self._steps.setdefault(name, {"state": WAITING, "began": self._now_text()})
        known = self._answers.pop(name, None)
        answer = known() if known is not None else outcomes.ask(probe)
        if not isinstance(answer, Pending):
            return self._record(name, answer)
        elapsed = self._since(record["began"])
        if deadline is not None and elapsed >= deadline:
            raise outcomes.WaitTimedOut(step=name, seconds=deadline)
        if answer.progress is not None:
            self.progress(answer.progress)
        waiter = Waiter(name, probe, schedule, deadline, self.clock.monotonic() - elapsed)
        raise Suspended(schedule.delay(elapsed), waiter)

    def progress(self, text: str) -> None:
        """Tell people how far it is; written with the next write of the operation."""
        self.shown_progress = as_progress(text)

    def tell(self, text: str) -> None:
        """As progress(), but at once, from inside a step that takes long.

        Each is a transaction: seldom, please. Where a cancel was asked for it ends the step.
        """
        if self.cancel_requested and not self.cleaning_up:
            raise outcomes.Cancelled()
        self.progress(text)
        self._save(commits.INTENT, rows.RUNNING)

    # -- the end -------------------------------------------------------------------------------

    def finish(self, *writes: Write | Sequence[Write], result: Any = None) -> None:
        """End well: the outcome and the resource's new values in one transaction."""
        if self.finished:
            raise RuntimeError(f"operation {self.uuid} is finished twice")
        self._finish(rows.SUCCEEDED, flat(writes), result=result)

    def fail(
        self, error: BaseException, writes: Sequence[Write] = (), state: str = rows.FAILED
    ) -> None:
        """End badly, with what the resource shall show; state is failed, cancelled or dead."""
        self._finish(state, writes, error=describe(error))

    def release(self) -> None:
        """Go back to the queue as if never started; steps that are recorded stay recorded."""
        self._withdraw()
        self._save(
            commits.RELEASE,
            rows.QUEUED,
            update=owned_updates.RELEASE,
            dispatches=max(self.dispatches - 1, 0),
        )

    def suspend(self, delay: float) -> None:
        """Record that the flow goes on in `delay` seconds.

        It came to rest by itself: whatever ends the worker from now on, this start did not.
        """
        self.dispatches = min(self.dispatches, 1)
        moment = self.clock.now() + datetime.timedelta(seconds=delay)
        self._save(commits.WAIT, rows.WAITING, next_run_at=moment)

    def begin_clean_up(self) -> None:
        """From here on steps run although a cancel was asked for."""
        self.cleaning_up = True

    # -- inside --------------------------------------------------------------------------------

    def _check(self) -> None:
        if self.finished:
            raise RuntimeError(f"operation {self.uuid} is finished; no step can follow")
        if self.draining:
            raise outcomes.Drained()
        if self.cancel_requested and not self.cleaning_up:
            raise outcomes.Cancelled()

    def _resolve(self, name: str, probe: Callable[[], Any] | None) -> Any:
        if probe is not None:
            return probe()
        if self._settings.interrupted_operation_policy == ERROR:
            raise outcomes.StepInterrupted(step=name)
        return outcomes.AGAIN

    def _withdraw(self) -> None:
        """Take the intent that came with the claim back: the flow went another way."""
        if self._announced is not None:
            del self._steps[self._announced]
            self._announced = None

    def _begin(self, name: str) -> None:
        if name == self._announced:
            self._announced = None
            if not self._is_certain():
                # Claimed a while ago: only the database knows whose it is by now.
                self._save(commits.INTENT, rows.RUNNING)
            return
        self._withdraw()
        record = self._steps.setdefault(name, {"began": self._now_text(), "attempts": 0})
        record["state"] = BEGUN
        record["attempts"] = record.get("attempts", 0) + 1
        self._save(commits.INTENT, rows.RUNNING)

    def _record(self, name: str, result: Any) -> Any:
        # Not written here: the next write of the operation carries it. Until then a crash
        # leaves the step in doubt, which is the truth.
        text = jsontext.encode(result)
        if len(text) > _MAX_RESULT:
            raise outcomes.ResultTooLarge(step=name, size=len(text), most=_MAX_RESULT)
        encoded = jsontext.decode(text)
        record = self._steps.setdefault(name, {})
        record.update(state=DONE)
        record.pop("error", None)
        if encoded is not None:
            record["result"] = encoded
        self.dispatches = min(self.dispatches, 1)
        return encoded

    def _fail_step(
        self, name: str, error: BaseException, policy: RetryPolicy, *, asked: bool, probed: bool
    ) -> None:
        """Suspend the flow if the step is to be tried again; else note the failure and return.

        asked: the error is the probe's. Unless it is final, nobody knows more than before, and
        the step stays in doubt. probed: the step has a probe.
        """
        record = self._steps.setdefault(name, {"began": self._now_text(), "attempts": 1})
        if asked:
            # Counted as a try, or a probe that never can tell would be asked for ever.
            record["attempts"] += 1
        record["error"] = describe(error)
        kind = exception.classify(error)
        in_doubt = kind is exception.ErrorKind.IN_DOUBT or (
            asked and kind is not exception.ErrorKind.FINAL
        )
        delay = policy.delay(max(record["attempts"], 1), self._since(record["began"]), error)
        if delay is None or (asked and not in_doubt):
            # Whoever asks for a retry of the operation still has the probe asked first.
            record["state"] = BEGUN if in_doubt and probed else FAILED
            return
        record["state"] = BEGUN if in_doubt else AGAIN_LATER
        raise Suspended(delay) from error

    def _policy(self, named: RetryPolicy | str | None) -> RetryPolicy:
        if isinstance(named, RetryPolicy):
            return named
        name = named or retry.NEVER.name
        return self._settings.retry_policies.get(name) or retry.BUILT_IN[name]

    def _finish(
        self,
        state: str,
        writes: Sequence[Write],
        *,
        error: str | None = None,
        result: Any = None,
    ) -> None:
        self._withdraw()
        self._save(
            commits.FINISH,
            state,
            update=owned_updates.FINISH,
            writes=writes,
            lane=self.lane,
            error=error,
            result=None if result is None else jsontext.encode(result),
        )
        self.finished = True

    def _save(
        self,
        kind: str,
        state: str,
        *,
        update: OwnedUpdate = owned_updates.ADVANCE,
        writes: Sequence[Write] = (),
        lane: str | None = None,
        **values: Any,
    ) -> None:
        parameters = {
            "state": state,
            "steps": jsontext.encode(self._steps),
            "progress": self.shown_progress,
            "now": self.clock.now(),
            "next_run_at": None,
            "dispatches": self.dispatches,
            **values,
        }
        self._committer.commit(
            Bundle(
                kind,
                self.id,
                self.owner,
                self.fence,
                self.revision,
                update,
                parameters,
                writes,
                lane,
            )
        )
        self.revision += 1

    def _now_text(self) -> str:
        return self.clock.now().isoformat()

    def _since(self, moment: str) -> float:
        began = datetime.datetime.fromisoformat(moment)
        return max((self.clock.now() - began).total_seconds(), 0.0)
