# SPDX-License-Identifier: Apache-2.0
"""[callback]: the HTTP end point at which Nova says how the snapshot of an attached volume went."""

from __future__ import annotations

import ipaddress

from oslo_config import cfg

from manila_lite import exception, no_eventlet

GROUP = "callback"
KEYSTONE_GROUP = "keystone_authtoken"

TOKEN = "token"  # noqa: S105 - the name of a mode
KEYSTONE = "keystone"
NOBODY = "none"

SHORTEST_TOKEN = 16

OPTS = [
    cfg.BoolOpt(
        "enabled",
        default=False,
        help="Whether the volume service answers Nova's callbacks itself. Leave it off where "
        "Cinder's API serves the same database: Nova calls that.",
    ),
    cfg.HostAddressOpt(
        "listen_host",
        default="127.0.0.1",
        help="Address to listen on. The server speaks plain HTTP: put a proxy with TLS before it "
        "wherever the network is not trusted.",
    ),
    cfg.PortOpt(
        "listen_port",
        default=8776,
        help="Port to listen on. The processes of all back ends share it, and each takes "
        "callbacks for any of them.",
    ),
    cfg.StrOpt(
        "token",
        secret=True,
        help="Shared secret that a caller gives as X-Auth-Token, for sites without Keystone. "
        f"At least {SHORTEST_TOKEN} characters. Goes before [keystone_authtoken].",
    ),
    cfg.ListOpt(
        "roles",
        default=["service", "admin"],
        help="Roles that may call back, where Keystone checks the token. One of them is enough, "
        "of the user or of the service that speaks for him.",
    ),
    cfg.IntOpt(
        "max_body_bytes",
        default=16 * 1024,
        min=1024,
        max=1024 * 1024,
        help="Size of the largest request body that is read.",
    ),
    cfg.IntOpt(
        "threads", default=8, min=1, max=256, help="Requests that are answered at the same time."
    ),
    cfg.FloatOpt(
        "journal_timeout",
        default=20.0,
        min=1.0,
        max=600.0,
        help="Seconds that a callback waits for a database that is away or busy; then it is "
        "answered 503.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options readable as ``conf.callback``."""
    conf.register_opts(OPTS, group=GROUP)


def authentication(conf: cfg.ConfigOpts) -> str:
    """How callers are known: by the shared TOKEN, by KEYSTONE where there is one, or NOBODY."""
    if conf[GROUP].token:
        return TOKEN
    return KEYSTONE if KEYSTONE_GROUP in conf.list_all_sections() else NOBODY


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check(conf: cfg.ConfigOpts) -> None:
    """Raise ConfigurationError for a token that is guessed soon, and where anybody could call."""
    section = conf[GROUP]
    if section.token and len(section.token) < SHORTEST_TOKEN:
        _refuse("token", "***", f"must have at least {SHORTEST_TOKEN} characters")
    if not section.enabled:
        return
    if authentication(conf) == NOBODY and not is_loopback(section.listen_host):
        reason = f"needs token or [{KEYSTONE_GROUP}] where others than this machine can connect"
        _refuse("listen_host", section.listen_host, reason)
    if authentication(conf) == KEYSTONE:
        if not section.roles:
            _refuse("roles", "(empty)", "must name a role, or nobody could call back")
        _check_keystone(conf)


def _check_keystone(conf: cfg.ConfigOpts) -> None:
    """Make the middleware and throw it away: it says what it lacks. It connects to nothing."""
    with no_eventlet.hidden():
        from keystoneauth1 import exceptions
        from keystonemiddleware import auth_token

    try:
        auth_token.AuthProtocol(None, {"oslo_config_config": conf})
    except (exceptions.ClientException, cfg.Error, ValueError) as error:
        reason = " ".join(str(error).split())
        raise exception.ConfigurationError(
            section=KEYSTONE_GROUP, option="auth_type", value="***", reason=reason
        ) from None
    options = conf[KEYSTONE_GROUP]
    if not (options.auth_type or options.auth_section):
        raise exception.ConfigurationError(
            section=KEYSTONE_GROUP, option="auth_type", value="(not set)",
            reason="must say how this service identifies itself to Keystone",
        )  # fmt: skip


def _refuse(option: str, value: str, reason: str) -> None:
    raise exception.ConfigurationError(section=GROUP, option=option, value=value, reason=reason)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [(GROUP, OPTS)]
