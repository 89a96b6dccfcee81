# SPDX-License-Identifier: Apache-2.0
"""Exporting: what clients are told of a share's directory, and who may reach it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from manila_lite.share.driver.base import Model
from manila_lite.share.drivers.directory import access
from manila_lite.share.drivers.directory.paths import OF_BACKEND, Place, Root
from manila_lite.share.drivers.exports import Helpers, Location, RuleUpdates


class Exports:
    """The export helpers of a driver; without any, nothing is exported.

    host: stands in front of the path where nothing is exported.
    """

    def __init__(self, root: Root, host: str, helpers: Helpers) -> None:
        self._root = root
        self._host = host
        self._helpers = helpers

    @property
    def storage_protocol(self) -> str | None:
        """What the helpers speak together; None without any."""
        return self._helpers.storage_protocol or None

    def check(self) -> None:
        """Raise ConfigurationError for helpers that can never work."""
        for helpers in self._everywhere():
            helpers.check()

    def check_protocol(self, share: Model) -> None:
        """Raise InvalidShare for a share that no helper can export."""
        if helpers := self._of(share):
            helpers.of(share)

    def ensure(
        self, share: Model | None, place: Place, kept: Sequence[Mapping[str, str]] | None
    ) -> list[Location]:
        """Export a directory as it should be; return its export locations.

        kept: the rules in its metadata; None where there never were any. share: see `_exports`.
        """
        path = self._root.data_path(place)
        helpers = Helpers() if share is None else self._of(share)
        if not helpers or share is None:
            return [{"path": f"{self._host}:{path}", "is_admin_only": False, "metadata": {}}]
        rules = None if kept is None else access.rules(kept)
        return helpers.of(share).ensure(place.name, path, rules)

    def update_access(
        self, share: Model, place: Place, rules: Sequence[Mapping[str, Any]]
    ) -> RuleUpdates:
        """Let in whom the rules name; return updates for the rules that are not in force."""
        helpers = self._of(share)
        if not helpers:
            return access.refused(rules)
        path = self._root.data_path(place)
        return helpers.of(share).update_access(place.name, path, rules)

    def refresh(self, share: Model, place: Place) -> None:
        """Show clients the directory that took the place of the exported one."""
        if helpers := self._of(share):
            helpers.of(share).refresh(place.name, self._root.data_path(place))

    def remove(self, place: Place) -> None:
        """Take an export away, by whatever protocol."""
        for helpers in self._everywhere():
            helpers.remove(place.name)

    def remove_path(self, parts: Sequence[str]) -> None:
        """The same for a directory below the root that gets another name."""
        if len(parts) == 2 and parts[0] in {kind.value for kind in OF_BACKEND}:
            for helpers in self._everywhere():
                helpers.remove(parts[1])

    def source_of(self, location: str) -> str:
        """The directory behind an export location; what is no location stays as it is."""
        found = (helpers.source_of(location) for helpers in self._everywhere())
        return next((source for source in found if source is not None), location)

    def restore(self) -> None:
        """Bring back what a server lost in a restart."""
        for helpers in self._everywhere():
            helpers.restore()

    def _of(self, share: Model) -> Helpers:
        """The helpers of the server that a share is on."""
        return self._helpers

    def _everywhere(self) -> Iterable[Helpers]:
        """The helpers of all servers."""
        return [self._helpers]


def in_force(
    rules: Iterable[Mapping[str, Any]], updates: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """The rules that no update puts into error."""
    return [rule for rule in rules if access.access_id(rule) not in updates]
