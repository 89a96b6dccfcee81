# SPDX-License-Identifier: Apache-2.0
"""What every export helper offers, and the helpers of one back end by protocol."""

from __future__ import annotations

import abc
import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from manila_lite import exception

LOG = logging.getLogger(__name__)

Location = dict[str, Any]
RuleUpdates = dict[str, dict[str, str]]
Rules = Sequence[Mapping[str, Any]]

READ_WRITE: Final = "rw"
READ_ONLY: Final = "ro"


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A rule that the server cannot follow. The reason is for the log."""

    rule: Mapping[str, Any]
    reason: str


class ExportHelper(abc.ABC):
    """Exports directories through one server by one protocol.

    Names are those of shares: letters, digits and ``_ . -``. Every method may be repeated after a
    kill at any point. Calls about one name must not overlap; those about different names may.

    All raise BackendBusy while the server cannot be reached, BackendOutcomeUnknown when it did not
    answer, and ShareBackendException for what it refused.
    """

    protocol: str

    @abc.abstractmethod
    def check(self) -> None:
        """Raise ConfigurationError for options that can never be right."""

    @abc.abstractmethod
    def ensure(self, name: str, path: str, rules: Rules | None = None) -> list[Location]:
        """Export a directory and return the locations: path, is_admin_only and metadata.

        rules: who may reach it, nobody where the list is empty. None keeps what the export had,
        which for a new one is nobody.
        """

    @abc.abstractmethod
    def update_access(self, name: str, path: str, rules: Rules) -> RuleUpdates:
        """Let in exactly those whom the rules name; the export is made where it is missing.

        Returns ``{"state": "error"}`` by access id for each rule that the server cannot follow;
        the others are in force.
        """

    @abc.abstractmethod
    def remove(self, name: str) -> None:
        """Take the export away; one that is not there is no error. The data stay."""

    @abc.abstractmethod
    def refresh(self, name: str, path: str) -> None:
        """Let clients see a directory that took the place of the exported one. The rules stay."""

    @abc.abstractmethod
    def source_of(self, location: str) -> str | None:
        """The directory behind an export location; None for one that is not this helper's."""

    @abc.abstractmethod
    def restore(self) -> list[str]:
        """Bring back what the server lost in a restart; return the names of those exports.

        Does next to nothing where there was no restart: made to be called every minute.
        """

    def supports(self, protocol: str) -> bool:
        """Whether shares of this protocol go through this helper."""
        return protocol.upper() == self.protocol


class Helpers:
    """The helpers of one back end. Without any, shares are not exported."""

    def __init__(self, helpers: Iterable[ExportHelper] = ()) -> None:
        self._helpers = list(helpers)

    def __bool__(self) -> bool:
        return bool(self._helpers)

    def __iter__(self) -> Any:
        return iter(self._helpers)

    @property
    def storage_protocol(self) -> str:
        """What the scheduler is told, such as NFS or NFS_CIFS."""
        return "_".join(helper.protocol for helper in self._helpers)

    def of(self, share: Mapping[str, Any]) -> ExportHelper:
        """The helper of a share's protocol. Raises InvalidShare where there is none."""
        protocol = str(share["share_proto"] or "")
        for helper in self._helpers:
            if helper.supports(protocol):
                return helper
        raise exception.InvalidShare(
            reason=f"share_proto {protocol} is not exported by this back end, which has "
            f"{self.storage_protocol}"
        )

    def check(self) -> None:
        """Raise ConfigurationError for options that can never be right."""
        for helper in self._helpers:
            helper.check()

    def remove(self, name: str) -> None:
        """Take away every export of this name, whatever its protocol."""
        for helper in self._helpers:
            helper.remove(name)

    def source_of(self, location: str) -> str | None:
        """The directory behind an export location; None where no helper knows it."""
        found = (helper.source_of(location) for helper in self._helpers)
        return next((source for source in found if source is not None), None)

    def restore(self) -> None:
        """Bring back what servers lost; one that cannot be reached now is asked again later."""
        for helper in self._helpers:
            try:
                names = helper.restore()
            except (exception.ManilaException, exception.ProcessExecutionError, OSError) as error:
                LOG.warning("Exports by %s could not be looked at: %s", helper.protocol, error)
                continue
            if names:
                LOG.info("%s exports by %s were brought back", len(names), helper.protocol)


def access_id(rule: Mapping[str, Any]) -> str:
    """The id under which the service wants to hear of a rule."""
    return str(rule.get("access_id") or rule["id"])


def refused(refusals: Iterable[Refusal], name: str) -> RuleUpdates:
    """Updates for rules that are not in force; the reasons are logged."""
    updates: RuleUpdates = {}
    for refusal in refusals:
        identifier = access_id(refusal.rule)
        LOG.error("Access rule %s of share %s: %s", identifier, name, refusal.reason)
        updates[identifier] = {"state": "error"}
    return updates


def level_refusal(rule: Mapping[str, Any]) -> Refusal | None:
    """What is wrong with a rule's level, for any protocol."""
    level = rule["access_level"]
    if level in (READ_WRITE, READ_ONLY):
        return None
    return Refusal(rule, f"access_level {level} is not supported, only rw and ro are")
