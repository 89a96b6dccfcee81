# SPDX-License-Identifier: Apache-2.0
"""Who may call back. Each way ends with environ[IDENTITY], which no client can set.

There are three: Keystone's middleware and a role; a shared token, where there is no Keystone; and
nobody in particular, for this machine only.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Any

import webob
from oslo_config import cfg
from oslo_log import log

from manila_lite import no_eventlet
from manila_lite.callback.application import (
    IDENTITY,
    Discovery,
    Identity,
    StartResponse,
    Wsgi,
    answer,
)
from manila_lite.callback.faults import Fault
from manila_lite.conf import callback as callback_conf

LOG = log.getLogger(__name__)

_TOKEN_HEADER = "X-Auth-Token"  # noqa: S105 - the name of a header


def guarded(application: Wsgi, conf: cfg.ConfigOpts) -> Wsgi:
    """Put the configured check of callers before the application; versions are free for all."""
    section = conf[callback_conf.GROUP]
    way = callback_conf.authentication(conf)
    if way == callback_conf.TOKEN:
        return Discovery(SharedToken(application, section.token))
    if way == callback_conf.KEYSTONE:
        return Discovery(_keystone(RoleCheck(application, section.roles), conf))
    return Discovery(LocalOnly(application))


def _keystone(application: Wsgi, conf: cfg.ConfigOpts) -> Wsgi:
    with no_eventlet.hidden():
        from keystonemiddleware import auth_token

    return auth_token.AuthProtocol(application, {"oslo_config_config": conf})


class _Guard:
    """A check of callers before an application."""

    def __init__(self, application: Wsgi) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            environ[IDENTITY] = self.identify(webob.Request(environ))
        except Fault as fault:
            refusal = answer(webob.Request(environ), _raiser(fault))
            return refusal(environ, start_response)
        return self._application(environ, start_response)

    def identify(self, request: webob.Request) -> Identity:
        """Say who calls; raises Fault 401 or 403 for one who may not."""
        raise NotImplementedError


def _raiser(fault: Fault) -> Any:
    def respond(request: webob.Request) -> webob.Response:
        raise fault

    return respond


class RoleCheck(_Guard):
    """Behind Keystone's middleware: lets in whoever has one of the roles.

    The middleware removes these headers from what a client sends and sets them itself. Nova comes
    with the token of the one who asked it, which is this service's own user, and may add its own
    service token.
    """

    def __init__(self, application: Wsgi, roles: Iterable[str]) -> None:
        super().__init__(application)
        self._roles = frozenset(role.strip().lower() for role in roles)

    def identify(self, request: webob.Request) -> Identity:
        headers = request.headers
        if headers.get("X-Identity-Status") != "Confirmed":
            raise Fault(401, "This request requires authentication.")
        roles = _listed(headers.get("X-Roles"))
        if headers.get("X-Service-Identity-Status") == "Confirmed":
            of_service = _listed(headers.get("X-Service-Roles"))
        else:
            of_service = ()
        if not self._roles & {role.lower() for role in (*roles, *of_service)}:
            raise Fault(403, "The role of a service is needed for this.")
        return Identity(headers.get("X-User-Id"), headers.get("X-Project-Id"), roles)


def _listed(header: str | None) -> tuple[str, ...]:
    return tuple(role.strip() for role in (header or "").split(",") if role.strip())


class SharedToken(_Guard):
    """Lets in whoever knows the token. The comparison takes as long for any wrong one."""

    def __init__(self, application: Wsgi, token: str) -> None:
        super().__init__(application)
        self._token = token.encode()

    def identify(self, request: webob.Request) -> Identity:
        given = request.headers.get(_TOKEN_HEADER, "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, self._token):
            raise Fault(
                401, "This request requires authentication.", {"WWW-Authenticate": "X-Auth-Token"}
            )
        return Identity(roles=("service",))


class LocalOnly(_Guard):
    """Lets in whoever is on this machine, as far as the address tells."""

    def identify(self, request: webob.Request) -> Identity:
        if not callback_conf.is_loopback(request.remote_addr or ""):
            raise Fault(403, "Only this machine may call back while there is no authentication.")
        return Identity(roles=("service",))
