# SPDX-License-Identifier: Apache-2.0
"""What a driver is asked about the access rules of a share, and what its answers mean."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from oslo_log import log

from manila_lite import exception, states
from manila_lite.db.records import Record
from manila_lite.share.flows import common

LOG = log.getLogger(__name__)

MAX_KEY: Final = 255  # characters of an access key
#: States of rules that shall be on the storage. One that an API has queued for a change is there.
_WANTED: Final = (
    states.ACCESS_APPLYING,
    states.ACCESS_UPDATING,
    states.ACCESS_ACTIVE,
    states.ACCESS_QUEUED_TO_UPDATE,
)
_READ_ONLY: Final = {"access_level": "ro"}
_GONE: Final = ("ShareResourceNotFound",)
_THERE: Final = "ShareAccessExists"


@dataclasses.dataclass(frozen=True)
class Change:
    """What the rules of an instance shall be, and what is new about them.

    added and changed are part of wanted, gone is not. whole: all rules may be there in another
    form, so that the storage has to be made to agree with wanted.
    """

    wanted: Sequence[Record]
    added: Sequence[Record] = ()
    changed: Sequence[Record] = ()
    gone: Sequence[Record] = ()
    whole: bool = False


@dataclasses.dataclass
class Answer:
    """What became of the rules. refused: ids of those that end in error; keys: (id, access key).

    Keys are secrets: they go into their table, and nowhere else.
    """

    refused: set[str] = dataclasses.field(default_factory=set)
    keys: list[tuple[str, str]] = dataclasses.field(default_factory=list, repr=False)


def change_of(rules: Iterable[Record], read_only: bool = False) -> Change:
    """Say what rules, with their states on an instance, ask for.

    Rules in error are on no list, and neither are those that are queued to be applied or denied:
    the next pass is theirs. read_only: the rules are applied as "ro" whatever they say.
    """
    known = [rule for rule in rules if rule["mapping_id"] is not None]
    gone = [rule for rule in known if rule["state"] == states.ACCESS_DENYING]
    wanted = [rule for rule in known if rule["state"] in _WANTED]
    if read_only:
        wanted = [rule.merged(_READ_ONLY) for rule in wanted]
    return Change(
        wanted,
        [rule for rule in wanted if rule["state"] == states.ACCESS_APPLYING],
        [rule for rule in wanted if rule["state"] == states.ACCESS_UPDATING],
        gone,
        whole=read_only,
    )


def send(
    driver: Any, context: Any, share: Record, change: Change, share_server: Record | None
) -> Answer:
    """Have the driver change the rules; rule by rule where it has no update_access.

    Raises what the driver raises; InvalidShareAccess for an answer that is none.
    """
    try:
        returned = call(driver, context, share, change, share_server)
    except NotImplementedError:
        return _OneByOne(driver, context, share, share_server).send(change)
    return _answer(returned, change)


def call(
    driver: Any, context: Any, share: Record, change: Change, share_server: Record | None
) -> Any:
    """Call update_access; a driver whose update_access has update_rules gets changed rules there.

    For any other driver a changed rule means that the storage has to be made to agree with all.
    """
    takes_changes = "update_rules" in inspect.signature(driver.update_access).parameters
    whole = change.whole or (bool(change.changed) and not takes_changes)
    lists: dict[str, Any] = {
        "add_rules": [] if whole else list(change.added),
        "delete_rules": [] if whole else list(change.gone),
    }
    if takes_changes:
        lists["update_rules"] = [] if whole else list(change.changed)
    return driver.update_access(
        context, share, list(change.wanted), **lists, share_server=share_server
    )


class _OneByOne:
    """For drivers that have allow_access and deny_access only.

    An error of one rule, if it is final, is that rule's alone. Any other is raised, so that the
    whole is tried again: a rule that is there already is as good as one that was made.
    """

    def __init__(self, driver: Any, context: Any, share: Record, server: Record | None) -> None:
        self._driver = driver
        self._given = (context, share)
        self._server = server
        self._answer = Answer()

    def send(self, change: Change) -> Answer:
        again = change.wanted if change.whole else change.changed
        is_said = change.added or change.changed or change.gone or change.whole
        fresh = [rule for rule in change.added if rule not in again] if is_said else change.wanted
        for rule in [*change.gone, *again]:
            self._deny(rule)
        for rule in [*again, *fresh]:
            if rule["access_id"] not in self._answer.refused:
                self._allow(rule)
        return self._answer

    def _deny(self, rule: Record) -> None:
        try:
            self._driver.deny_access(*self._given, rule, share_server=self._server)
        except NotImplementedError:
            LOG.debug("This driver has no access rules")
        except Exception as error:
            if not common.is_named(error, *_GONE):
                self._refuse(rule, error)

    def _allow(self, rule: Record) -> None:
        try:
            key = self._driver.allow_access(*self._given, rule, share_server=self._server)
        except Exception as error:
            if not common.is_named(error, _THERE):
                self._refuse(rule, error)
            return
        if isinstance(key, str):
            _take_key(self._answer, rule["access_id"], key)

    def _refuse(self, rule: Record, error: Exception) -> None:
        if exception.classify(error) is not exception.ErrorKind.FINAL:
            raise error
        LOG.warning("Access rule %s: the driver refuses it: %s", rule["access_id"], error)
        self._answer.refused.add(rule["access_id"])


def _answer(returned: Any, change: Change) -> Answer:
    """Read the dictionary that update_access returned; never quote it: it may hold keys."""
    answer = Answer()
    if returned is None:
        return answer
    if not isinstance(returned, Mapping):
        kind = type(returned).__name__
        raise exception.InvalidShareAccess(
            reason=f"the driver's update_access returned a {kind} instead of updates by access id"
        )
    known = {rule["access_id"] for rule in change.wanted}
    for access_id, update in returned.items():
        if access_id in known:
            _take(answer, access_id, update)
        else:
            LOG.warning("The driver tells of access rule %s, which it was not given", access_id)
    return answer


def _take(answer: Answer, access_id: str, update: Any) -> None:
    if not isinstance(update, Mapping):
        LOG.warning("Access rule %s: the driver's update is no dictionary", access_id)
        answer.refused.add(access_id)
        return
    state = update.get("state") or states.ACCESS_ACTIVE
    if state != states.ACCESS_ACTIVE:
        if state != states.ACCESS_ERROR:
            LOG.warning("Access rule %s: the driver gave it state %.100r", access_id, state)
        answer.refused.add(access_id)
    if update.get("access_key") is not None:
        _take_key(answer, access_id, update["access_key"])


def _take_key(answer: Answer, access_id: str, key: Any) -> None:
    if isinstance(key, str) and len(key) <= MAX_KEY:
        answer.keys.append((access_id, key))
        return
    LOG.warning(
        "Access rule %s: its access_key is no text of at most %d characters", access_id, MAX_KEY
    )
    answer.refused.add(access_id)
