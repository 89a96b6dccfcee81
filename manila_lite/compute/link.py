# SPDX-License-Identifier: Apache-2.0
"""The way to Nova: through Keystone, or to a fixed address without it.

Made so that it is always known whether a request can have reached Nova. Everything that Keystone
is needed for happens before; keystoneauth's own repetitions are switched off, because it calls a
time-out after the request the same as one before; and each request has a connection of its own,
because one that was kept, and that the server is just closing, fails in the middle of a request.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import requests
from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1 import loading, noauth
from keystoneauth1 import session as sessions
from oslo_config import cfg

from manila_lite import exception
from manila_lite.compute.answers import Answer
from manila_lite.conf import nova as nova_conf
from manila_lite.exception.kinds import chain

T = TypeVar("T")

_SERVICE = "compute"
_UNAUTHORIZED = 401
_CONNECT_SECONDS = 10.0


class KeystoneLink:
    """Sends requests as the user of section [nova]."""

    def __init__(
        self,
        new_session: Callable[[requests.Session], sessions.Session],
        auth: Any,
        *,
        interface: str = "public",
        region_name: str | None = None,
        endpoint: str | None = None,
        microversion: str | None = None,
    ) -> None:
        """new_session: makes a session of keystoneauth on one of requests. auth: plugin of
        keystoneauth. endpoint: a URL that goes before the catalogue's.
        """
        self._new_session = new_session
        self._keystone = new_session(requests.Session())
        self._auth = auth
        self._interface = interface
        self._region_name = region_name
        self._endpoint = endpoint
        self._microversion = microversion

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> KeystoneLink:
        """Build from section [nova]. Raises NovaMisconfigured for options that do not fit."""
        section = conf[nova_conf.GROUP]
        try:
            auth = _load_auth(conf)
            link = cls(
                lambda http: _load_session(conf, http),
                auth,
                interface=section.interface,
                region_name=section.region_name,
                endpoint=section.endpoint_override,
                microversion=section.microversion,
            )
        except (keystone_errors.ClientException, cfg.Error, ValueError) as error:
            raise exception.NovaMisconfigured(reason=_describe(error)) from None
        return link

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str], body: str | None = None
    ) -> Answer:
        """Send one request; a token that is no longer accepted is replaced once.

        Raises NovaUnavailable when nothing was sent, NovaOutcomeUnknown when nobody knows,
        NovaMisconfigured when Keystone or a certificate is against it.
        """
        url, identity = self._prepare()
        answer = self._send(method, url + path, {**headers, **identity}, body)
        # Nova looks at the token first: what it did not let in it has not begun.
        if answer.status == _UNAUTHORIZED and self._auth.invalidate():
            url, identity = self._prepare()
            answer = self._send(method, url + path, {**headers, **identity}, body)
        return answer

    def _prepare(self) -> tuple[str, dict[str, str]]:
        """Return Nova's URL and the headers that say who asks; nothing is sent to Nova."""
        identity = _before_sending(lambda: self._auth.get_headers(self._keystone)) or {}
        url = self._endpoint or _before_sending(self._find_endpoint)
        if not url:
            raise exception.NovaMisconfigured(
                reason=f"the catalogue knows no {self._interface} end point of type '{_SERVICE}'"
            )
        return url.rstrip("/"), dict(identity)

    def _find_endpoint(self) -> str | None:
        return self._auth.get_endpoint(
            self._keystone,
            service_type=_SERVICE,
            interface=self._interface,
            region_name=self._region_name,
        )

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: str | None) -> Answer:
        own = {"Accept": "application/json", "Connection": "close"}
        if body is not None:
            own["Content-Type"] = "application/json"
        try:
            with requests.Session() as http:
                found = self._new_session(http).request(
                    url,
                    method,
                    data=body,
                    headers={**own, **headers},
                    microversion=self._microversion,
                    microversion_service_type=_SERVICE,
                    authenticated=False,
                    raise_exc=False,
                    redirect=False,
                    connect_retries=0,
                    status_code_retries=0,
                    log=False,
                )
        except keystone_errors.ClientException as error:
            raise _after_sending(error) from error
        lowered = {name.lower(): value for name, value in found.headers.items()}
        return Answer(found.status_code, found.text, lowered)


def _load_session(conf: cfg.ConfigOpts, http: requests.Session) -> sessions.Session:
    for option in loading.get_session_conf_options():
        # Newer releases of keystoneauth read options that an older one does not have.
        with contextlib.suppress(cfg.DuplicateOptError):
            conf.register_opt(option, group=nova_conf.GROUP)
    session: Any = loading.load_session_from_conf_options(conf, nova_conf.GROUP, session=http)
    # What does not even connect must not hold a thread for long: many may be asking. requests takes
    # a pair, for connecting and for each answer, and keystoneauth hands it on.
    seconds = conf[nova_conf.GROUP].timeout
    session.timeout = (min(seconds, _CONNECT_SECONDS), seconds)
    return session


def _load_auth(conf: cfg.ConfigOpts) -> Any:
    group = nova_conf.auth_group(conf)
    if conf[group].auth_type == nova_conf.NO_AUTHENTICATION:
        # The plugin's loader asks for the address once more, under another name.
        return noauth.NoAuth(endpoint=conf[nova_conf.GROUP].endpoint_override)
    return loading.load_auth_from_conf_options(conf, nova_conf.GROUP)


def _before_sending(function: Callable[[], T]) -> T:
    """Call what talks to Keystone: whatever goes wrong, Nova has not heard of it."""
    try:
        return function()
    except keystone_errors.HttpError as error:
        if error.http_status >= 500 or error.http_status in (408, 429):
            raise exception.NovaUnavailable(reason=_of_keystone(error)) from error
        raise exception.NovaMisconfigured(reason=_of_keystone(error)) from error
    except keystone_errors.ConnectionError as error:
        if _is_certificate(error):
            raise exception.NovaMisconfigured(reason=_of_keystone(error)) from error
        raise exception.NovaUnavailable(reason=_of_keystone(error)) from error
    except keystone_errors.ClientException as error:
        raise exception.NovaMisconfigured(reason=_of_keystone(error)) from error


def _after_sending(error: Exception) -> Exception:
    """Sort what went wrong while a request was on its way to Nova."""
    if _is_certificate(error):
        return exception.NovaMisconfigured(reason=_describe(error))
    if exception.classify(error) is exception.ErrorKind.TRANSIENT:
        return exception.NovaUnavailable(reason=_describe(error))
    return exception.NovaOutcomeUnknown(reason=_describe(error))


def _is_certificate(error: BaseException) -> bool:
    """Whether a certificate was refused, which is before anything was sent."""
    return any(isinstance(link, ssl.SSLCertVerificationError) for link in chain(error))


def _of_keystone(error: Exception) -> str:
    return f"Keystone: {_describe(error)}"


def _describe(error: Exception) -> str:
    """The error in one line. keystoneauth puts no password and no token into its errors."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:500]
