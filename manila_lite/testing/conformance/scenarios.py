# SPDX-License-Identifier: Apache-2.0
"""What a scenario is, and the list of all."""

from __future__ import annotations

import abc
from typing import Any, ClassVar

import sqlalchemy as sa

from manila_lite.testing.conformance.site import Site


class Scenario(abc.ABC):
    """One operation of the service, with what has to be there before and what must hold after.

    name: how reports call it. methods: those of the driver's that carry it out. claims: what the
    statistics have to say for it; empty, redefining the methods is the claim. error: the status
    of the resource after a failure. retried: whether an operator's retry does it after all.
    """

    name: ClassVar[str]
    methods: ClassVar[tuple[str, ...]]
    claims: ClassVar[tuple[str, ...]] = ()
    error: ClassVar[str]
    retried: ClassVar[bool] = True
    #: Whether there is something to see where the driver does not claim it.
    can_be_unsupported: ClassVar[bool] = True

    def __init__(self, site: Site, pretend: bool = False) -> None:
        """pretend: the rows exist beforehand, and the driver is not asked to make what they say."""
        self.site = site
        self.pretend = pretend

    @classmethod
    def unclaimed(cls, site: Site) -> str | None:
        """Return what the driver would have to claim, None where it does."""
        for claim in cls.claims:
            if not site.supports(claim):
                return claim
        if cls.claims or any(site.redefines(method) for method in cls.methods):
            return None
        return cls.methods[0]

    @classmethod
    def inapplicable(cls, site: Site) -> str | None:
        """Return why the scenario does not fit the site, whatever the driver claims."""
        return None

    @abc.abstractmethod
    def prepare(self) -> None:
        """Bring rows and storage to where the operation begins."""

    @abc.abstractmethod
    def begin(self) -> str:
        """Put the rows into their transitional status, cast, and return the operation's uuid."""

    @abc.abstractmethod
    def check(self) -> None:
        """Assert what holds when the operation has succeeded."""

    @property
    @abc.abstractmethod
    def resource(self) -> tuple[sa.Table, str, str]:
        """(table, row's id, id that messages have) of what is in error after a failure."""

    @abc.abstractmethod
    def clean_up(self) -> None:
        """Have the driver remove all that was made."""

    def status(self) -> str:
        table, row_id, _ = self.resource
        return str(self.site.row(table, row_id)["status"])

    def told(self) -> bool:
        return self.site.told(self.resource[2])

    def cast(self, method: str, **arguments: Any) -> str:
        return self.site.cast(method, **arguments)
