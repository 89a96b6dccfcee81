# SPDX-License-Identifier: Apache-2.0
"""The request context: who asked, for which project, under which request id.

A context travels in the ``_context_*`` keys of a message and is kept with the operation. It
never holds a token, a service catalogue or anything else whose name says that it is secret:
such keys are dropped where a context comes in, so that nothing behind that point can store,
log or forward them. Keys that this service does not know are carried along unchanged.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any, Self

from oslo_context import context as oslo_context

_SECRET_NAME = re.compile(
    r"token|secret|passw|passphrase|credential|catalog|cookie|authorization|provider_auth"
    r"|(?:api|private|access|secret|auth)_?key",
    re.IGNORECASE,
)
# The verdict on a key never changes and the keys of a context are always the same few.
_verdicts: dict[str, bool] = {}
_VERDICTS_KEPT = 4096

_ALIASES = {
    "user": "user_id",
    "project": "project_id",
    "tenant": "project_id",
    "domain": "domain_id",
    "user_domain": "user_domain_id",
    "project_domain": "project_domain_id",
}
# Computed from other keys, or always empty here: neither an argument nor an unknown key.
_DERIVED = frozenset({"user_identity", "service_catalog", "auth_token"})
_ARGUMENTS = frozenset(
    {
        "user_id", "project_id", "domain_id", "user_domain_id", "project_domain_id",
        "is_admin", "read_only", "show_deleted", "request_id", "resource_uuid", "roles",
        "user_name", "project_name", "domain_name", "user_domain_name",
        "project_domain_name", "is_admin_project", "global_request_id", "system_scope",
        "service_user_id", "service_user_name", "service_user_domain_id",
        "service_user_domain_name", "service_project_id", "service_project_name",
        "service_project_domain_id", "service_project_domain_name", "service_roles",
        "read_deleted", "remote_address", "quota_class", "timestamp",
    }
)  # fmt: skip


def is_secret_name(name: str) -> bool:
    """Whether a key of this name is dropped from contexts."""
    verdict = _verdicts.get(name)
    if verdict is None:
        verdict = _SECRET_NAME.search(name) is not None
        if len(_verdicts) < _VERDICTS_KEPT:
            _verdicts[name] = verdict
    return verdict


def without_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of ``values`` without the keys that name a secret, at any depth.

    Guards names, not contents: a password in a field called ``note`` stays.
    """
    return {
        key: _scrub(value) if isinstance(value, dict | list) else value
        for key, value in values.items()
        if not is_secret_name(key)
    }


def _scrub(value: Any) -> Any:
    if isinstance(value, dict):
        return without_secrets(value)
    if isinstance(value, list):
        return [_scrub(item) for item in value]
    return value


class RequestContext(oslo_context.RequestContext):
    """oslo.context's class with the extra attributes that Manila's contexts carry.

    ``timestamp`` is naive UTC. ``extra`` holds keys that came over the wire and mean
    nothing here. ``auth_token`` is always None and ``service_catalog`` always empty.
    """

    def __init__(
        self,
        user_id: str | None = None,
        project_id: str | None = None,
        is_admin: bool | None = False,
        read_deleted: str = "no",
        remote_address: str | None = None,
        quota_class: str | None = None,
        timestamp: datetime.datetime | str | None = None,
        extra: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("auth_token", None)
        kwargs.pop("service_token", None)
        super().__init__(user_id=user_id, project_id=project_id, is_admin=is_admin, **kwargs)
        self.read_deleted = read_deleted
        self.remote_address = remote_address
        self.quota_class = quota_class
        self.timestamp = _naive_utc(timestamp)
        self.extra = without_secrets(extra or {})
        if self.is_admin and "admin" not in self.roles:
            self.roles = [*self.roles, "admin"]

    @property
    def service_catalog(self) -> list[Any]:
        """Always empty: end points come from the configuration, not from the caller."""
        return []

    @property
    def read_deleted(self) -> str:
        """Which rows database reads show: ``no``, ``yes`` or ``only`` (deleted ones)."""
        return self._read_deleted

    @read_deleted.setter
    def read_deleted(self, value: str) -> None:
        if value not in ("no", "yes", "only"):
            raise ValueError(f"read_deleted must be 'no', 'yes' or 'only', not {value!r:.50}")
        self._read_deleted = value

    @classmethod
    def from_wire(cls, values: Mapping[str, Any]) -> Self:
        """Build a context from the keys of a message, without their ``_context_`` prefix.

        Secrets are dropped, unknown keys kept in ``extra``. The new context is not made
        the thread's current one when there is one already.
        """
        arguments: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for key, value in values.items():
            name = _ALIASES.get(key, key)
            if name in _ARGUMENTS:
                if value is not None and (name == key or arguments.get(name) is None):
                    arguments[name] = value
            elif name not in _DERIVED:
                extra[key] = value
        return cls(**arguments, extra=extra, overwrite=False)

    def to_wire(self) -> dict[str, Any]:
        """The keys that Manila 23 puts on the wire, plus the unknown ones that came in."""
        values = {**self.extra, **super().to_dict()}
        values.update(
            user_id=self.user_id,
            project_name=self.project_name,
            domain_id=self.domain_id,
            auth_token=None,
            service_catalog=[],
            read_deleted=self.read_deleted,
            remote_address=self.remote_address,
            quota_class=self.quota_class,
            timestamp=self.timestamp.isoformat(),
            roles=list(self.roles),
        )
        return values

    def to_dict(self) -> dict[str, Any]:
        """As :meth:`to_wire`; oslo.messaging and third-party drivers call it by this name."""
        return self.to_wire()

    @classmethod
    def from_dict(cls, values: dict[str, Any], **kwargs: Any) -> Self:
        """As :meth:`from_wire`, with keyword arguments going before ``values``."""
        return cls.from_wire({**values, **kwargs})

    def to_journal(self) -> dict[str, Any]:
        """What is stored with an operation: the wire keys that say something."""
        return {key: value for key, value in self.to_wire().items() if value not in (None, [])}

    @classmethod
    def from_journal(cls, values: Mapping[str, Any]) -> Self:
        """The counterpart of :meth:`to_journal`."""
        return cls.from_wire(values)

    def elevated(self, read_deleted: str | None = None) -> Self:
        """A copy with administrator rights, for what the service does on its own account."""
        values = {**self.to_wire(), "is_admin": True}
        if read_deleted is not None:
            values["read_deleted"] = read_deleted
        return type(self).from_wire(values)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return type(self).from_wire(self.to_wire())


def get_admin_context(read_deleted: str = "no") -> RequestContext:
    """A context of nobody in particular with administrator rights."""
    return RequestContext(is_admin=True, read_deleted=read_deleted, overwrite=False)


def _naive_utc(moment: datetime.datetime | str | None) -> datetime.datetime:
    """A point in time without zone; "now" for None and for text that is no time."""
    if isinstance(moment, str):
        try:
            moment = datetime.datetime.fromisoformat(moment)
        except ValueError:
            moment = None
    if moment is None:
        moment = datetime.datetime.now(datetime.UTC)
    if moment.tzinfo is not None:
        moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
    return moment
