# SPDX-License-Identifier: Apache-2.0
"""[nova]: how Nova is asked to move a running guest between the image files of its volume.

Cinder's and keystoneauth's names, so that the section of a cinder.conf works as it is. keystoneauth
would define most of these itself; they stand here because importing it takes long, and no command
but the daemon needs it. What the plugin of auth_type wants (auth_url, username, password, ...) is
read when the plugin is made.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from oslo_config import cfg

from manila_lite import exception

GROUP = "nova"
NO_AUTHENTICATION = "none"

AUTH_OPTS = [
    cfg.StrOpt(
        "auth_type",
        deprecated_name="auth_plugin",
        help="Plugin of keystoneauth by which this service identifies itself to Nova, such as "
        "'password'; the plugin's own options follow in the same section. 'none' needs "
        "endpoint_override and sends no token. Not set: snapshots of attached volumes are "
        "refused.",
    ),
    cfg.StrOpt(
        "auth_section",
        help="Section from which auth_type and the plugin's options are read instead of this one.",
    ),
    cfg.StrOpt(
        "token_auth_url",
        help="Where Cinder would use a user's token. Read and not used: this service keeps no "
        "tokens of users and always comes as itself.",
    ),
]

ENDPOINT_OPTS = [
    cfg.StrOpt("region_name", help="Region whose Nova is asked. Not set: the catalogue's first."),
    cfg.StrOpt(
        "interface",
        default="public",
        choices=["public", "admin", "internal"],
        help="Kind of the end point that is looked up in the catalogue.",
    ),
    cfg.StrOpt(
        "endpoint_override",
        help="URL of Nova's API, with its version (http://nova:8774/v2.1), instead of the one in "
        "the catalogue.",
    ),
    cfg.StrOpt(
        "microversion",
        help="Microversion of Nova's API that is asked for. Not set: none, which is 2.1.",
    ),
]

SESSION_OPTS = [
    cfg.StrOpt("cafile", help="PEM file of the certificate authorities that are trusted."),
    cfg.StrOpt("certfile", help="PEM file of this service's own certificate."),
    cfg.StrOpt("keyfile", help="PEM file of the key that belongs to certfile."),
    cfg.BoolOpt("insecure", default=False, help="Do not check the servers' certificates."),
    cfg.FloatOpt(
        "timeout",
        default=60.0,
        min=1.0,
        max=3600.0,
        help="Seconds without an answer after which a request counts as lost. Nova may have taken "
        "it by then, so it is not sent again.",
    ),
    cfg.BoolOpt("collect_timing", default=False, help="Have keystoneauth measure each request."),
    cfg.BoolOpt("split_loggers", default=False, help="Log requests to several loggers."),
    cfg.IntOpt(
        "connect_retries",
        default=3,
        min=0,
        max=20,
        help="How often a request is tried again that certainly did not reach Nova: no connection "
        "came about, or Nova answered 503 and told when to come back.",
    ),
]

OPTS = [*AUTH_OPTS, *ENDPOINT_OPTS, *SESSION_OPTS]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options readable as ``conf.nova``."""
    conf.register_opts(OPTS, group=GROUP)


def auth_group(conf: cfg.ConfigOpts) -> str:
    """The section that holds auth_type and the plugin's options; its auth_type is readable then."""
    section: str = conf[GROUP].auth_section or GROUP
    conf.register_opt(AUTH_OPTS[0], group=section)
    return section


def is_configured(conf: cfg.ConfigOpts) -> bool:
    """Whether Nova can be asked at all."""
    return bool(conf[auth_group(conf)].auth_type)


def check(conf: cfg.ConfigOpts) -> None:
    """Raise ConfigurationError for what cannot be right. Connects to nothing."""
    section = conf[GROUP]
    url = section.endpoint_override
    if url is not None and not _is_http(url):
        _refuse("endpoint_override", url, "must be a URL that begins with http:// or https://")
    auth_type = conf[auth_group(conf)].auth_type
    if auth_type == NO_AUTHENTICATION and url is None:
        _refuse("endpoint_override", "(not set)", "must be set where auth_type is none")
    if auth_type not in (None, "", NO_AUTHENTICATION):
        _check_plugin(conf, auth_type)


def _check_plugin(conf: cfg.ConfigOpts, auth_type: str) -> None:
    """Make the plugin and throw it away: it says what it lacks. It connects to nothing."""
    from keystoneauth1 import exceptions, loading

    try:
        loading.load_auth_from_conf_options(conf, GROUP)
    except (exceptions.ClientException, cfg.Error, ValueError) as error:
        _refuse("auth_type", auth_type, " ".join(str(error).split()))


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def _refuse(option: str, value: str, reason: str) -> None:
    raise exception.ConfigurationError(section=GROUP, option=option, value=value, reason=reason)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [(GROUP, OPTS)]
