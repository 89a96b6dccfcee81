# SPDX-License-Identifier: Apache-2.0
"""Everything that can be known to be wrong before anything starts.

Each check raises ConfigurationError, one line that names section, option and value; secrets
are shown as three asterisks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf import btrfs, directory, engine, namespace, opts
from manila_lite.conf.drivers import ALIASES, load_driver_class, load_hook_class
from manila_lite.conf.load import transport_url
from manila_lite.conf.sections import Section
from manila_lite.conf.service import PROTOCOLS

_TEMPLATES = (
    "share_name_template",
    "share_snapshot_name_template",
    "share_backup_name_template",
    "volume_name_template",
    "snapshot_name_template",
)
HIDDEN = "***"
UNSET = "(not set)"
DATABASE_SCHEMES = ("sqlite", "postgresql", "mysql", "mariadb")
TRANSPORT_SCHEMES = ("rabbit", "amqp", "kombu", "fake")
# Up to the last '@': a password may hold one, and a list of brokers has a password each.
_PASSWORD_IN_URL = re.compile(r"(://[^:@/]*):\S*@")


def check(conf: cfg.ConfigOpts) -> None:
    """Check what the daemon needs; return only when all of it can be used.

    Imports the drivers' classes but calls nothing of them. Does not connect to anything: a
    database or a broker that is away at this moment is no configuration error.
    """
    check_common(conf)
    check_state_path(conf)
    check_timers(conf)
    check_backends(conf)


def check_common(conf: cfg.ConfigOpts) -> None:
    """Check what every command needs: values that parse, URLs, names, the state directory."""
    check_values(conf, [None, *conf._groups])
    for option in _TEMPLATES:
        _check_template(conf, option)
    if re.search(r"[@#\s]", conf.host) or not conf.host:
        refuse("DEFAULT", "host", conf.host, "must not be empty or contain '@', '#' or spaces")
    for protocol in conf.enabled_share_protocols:
        if protocol.upper() not in PROTOCOLS:
            refuse("DEFAULT", "enabled_share_protocols", protocol, "is no known protocol")
    check_database_url(conf)
    check_transport_url(conf)


def refuse(section: str, option: str, value: Any, reason: str) -> NoReturn:
    """Raise ConfigurationError for this option; passwords inside URLs are hidden."""
    shown = UNSET if value is None else redact_url(str(value))
    raise exception.ConfigurationError(
        section=section, option=option, value=" ".join(shown.split()), reason=reason
    )


def redact_url(text: str) -> str:
    """The text with the password of every URL in it replaced by asterisks."""
    return _PASSWORD_IN_URL.sub(rf"\1:{HIDDEN}@", text)


def check_values(conf: cfg.ConfigOpts, groups: Iterable[str | None]) -> None:
    """Read every registered option once: oslo.config converts and checks a value only then."""
    for group in groups:
        for option in _registered(conf, group):
            _check_value(conf, group, option)


def _registered(conf: cfg.ConfigOpts, group: str | None) -> list[cfg.Opt]:
    # oslo.config has no public way to list what is registered in a group.
    known = conf._opts if group is None else conf._groups[group]._opts
    return [entry["opt"] for entry in known.values()]


def _check_value(conf: cfg.ConfigOpts, group: str | None, option: cfg.Opt) -> None:
    section = group or "DEFAULT"
    try:
        conf[option.dest] if group is None else conf[group][option.dest]
    except cfg.ConfigSourceValueError:
        raw = _raw_value(conf, group, option)
        try:
            option.type(raw)
        except (TypeError, ValueError) as error:
            _refuse_raw(section, option, raw, _plain_reason(str(error), raw))
        _refuse_raw(section, option, raw, "is not a valid value")
    except cfg.TemplateSubstitutionError as error:
        _refuse_raw(section, option, _raw_value(conf, group, option), str(error))


def _refuse_raw(section: str, option: cfg.Opt, raw: str | None, reason: str) -> NoReturn:
    if option.secret:
        refuse(section, option.name, HIDDEN, "is not a valid value")
    refuse(section, option.name, raw, reason)


def _plain_reason(reason: str, raw: str) -> str:
    """The type's own words, unless they are Python's ("invalid literal for int() ...")."""
    if "literal" in reason or "could not convert" in reason:
        return "must be a number"
    return " ".join(reason.split()) or "is not a valid value"


def _raw_value(conf: cfg.ConfigOpts, group: str | None, option: cfg.Opt) -> str:
    """The text in the file, as it was before any conversion; empty when it cannot be found."""
    names = [(group or "DEFAULT", name) for name in (option.name, option.dest)]
    names += [
        (old.group or group or "DEFAULT", old.name or option.name) for old in option.deprecated_opts
    ]
    files = conf._namespace._parsed if conf._namespace is not None else []
    for section, name in names:
        for parsed in files:
            values = parsed.get(section, {}).get(name)
            if values:
                return values[-1]
    return ""


def _check_template(conf: cfg.ConfigOpts, option: str) -> None:
    template = conf[option]
    try:
        name = template % "0"
    except (TypeError, ValueError):
        refuse("DEFAULT", option, template, "must contain %s once and no other %")
    if name == template or "/" in template or template.startswith((".", "-")):
        refuse("DEFAULT", option, template, "must contain %s, no slash, and start with a letter")


def check_database_url(conf: cfg.ConfigOpts) -> None:
    """Check that [database] connection is a URL of a database that the service can use."""
    url = conf.database.connection
    if not url:
        return
    scheme = urlsplit(url).scheme.partition("+")[0]
    if scheme not in DATABASE_SCHEMES:
        known = ", ".join(DATABASE_SCHEMES)
        refuse("database", "connection", _shown(url), f"must be the URL of one of: {known}")
    if scheme == "sqlite":
        _check_sqlite(url)
    else:
        _check_network_url("database", "connection", url)


def _shown(url: str) -> str:
    """What is no URL may be a password in the wrong place."""
    return url if "://" in url else HIDDEN


def _check_sqlite(url: str) -> None:
    path = urlsplit(url).path[1:]
    if path and not Path(path).is_absolute() and not url.startswith("sqlite:///"):
        refuse("database", "connection", url, "must have three slashes before the path")


def _check_network_url(section: str, option: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname or parts.query) and (parts.port or 0) >= 0
    except ValueError:
        known = False
    if not known:
        refuse(section, option, url, "has no host, or a port that is no number")


def check_transport_url(conf: cfg.ConfigOpts) -> None:
    """Check that transport_url, where it is set, names brokers that the service can use."""
    url = transport_url(conf)
    if url is None:
        return
    scheme = urlsplit(url).scheme
    if scheme not in TRANSPORT_SCHEMES:
        refuse("DEFAULT", "transport_url", _shown(url), "must begin with rabbit://")
    if scheme == "fake":
        return
    for server in url.split("://", 1)[1].partition("/")[0].split(","):
        _check_network_url("DEFAULT", "transport_url", f"{scheme}://{server}")


def check_state_path(conf: cfg.ConfigOpts) -> None:
    """Check that the SQLite database can be written, or made, where that is what is used."""
    url = conf.database.connection
    if not url:
        _check_writable("DEFAULT", "state_path", conf.state_path, Path(conf.state_path))
    elif url.startswith("sqlite:///") and not url.startswith("sqlite:///file:"):
        path = Path(urlsplit(url).path[1:])
        _check_writable("database", "connection", url, path.parent)


def _check_writable(section: str, option: str, value: str, directory: Path) -> None:
    """What is missing is made later: the nearest directory that exists decides."""
    existing = next(
        path for path in (directory.absolute(), *directory.absolute().parents) if path.exists()
    )
    if not existing.is_dir():
        refuse(section, option, value, f"{existing} is no directory")
    if not os.access(existing, os.W_OK | os.X_OK):
        refuse(section, option, value, f"{existing} is not writable for this user")


def check_timers(conf: cfg.ConfigOpts) -> None:
    """Check the numbers that only make sense together."""
    if conf.service_down_time <= conf.report_interval:
        refuse(
            "DEFAULT",
            "service_down_time",
            conf.service_down_time,
            f"must be more than report_interval ({conf.report_interval})",
        )
    section = conf[engine.GROUP]
    if section.sweep_interval > section.lease_seconds:
        refuse(
            engine.GROUP,
            "sweep_interval",
            section.sweep_interval,
            f"must not be more than lease_seconds ({section.lease_seconds:g})",
        )


def check_backends(conf: cfg.ConfigOpts) -> None:
    """Check that there is a back end, and each one's section, driver and numbers."""
    names = opts.backend_names(conf)
    check_backend_names(conf, "enabled_share_backends", names)
    for name in names:
        _check_backend(conf, name)


def check_backend_names(conf: cfg.ConfigOpts, option: str, names: list[str]) -> None:
    """Check that an option lists the sections of back ends, at least one and each once."""
    if not names:
        given = conf[option] and ",".join(conf[option])
        refuse("DEFAULT", option, given, "must name the section of at least one back end")
    sections = {section.lower() for section in conf.list_all_sections()}
    for name in names:
        if names.count(name) > 1:
            refuse("DEFAULT", option, name, "is listed twice")
        if re.search(r"[@#\s/]", name):
            refuse("DEFAULT", option, name, "must not contain '@', '#', '/', spaces")
        if name.lower() not in sections:
            refuse("DEFAULT", option, name, f"there is no section [{name}]")


def _check_backend(conf: cfg.ConfigOpts, name: str) -> None:
    section = Section(conf, name)
    if section.read("driver_handles_share_servers") is None:
        refuse(name, "driver_handles_share_servers", None, "must be set to True or False")
    ratio = section.read("max_over_subscription_ratio")
    if ratio < 1.0:
        refuse(name, "max_over_subscription_ratio", ratio, "must be at least 1.0")
    engine.retry_policies(conf, name)
    path = section.read("share_driver")
    load_driver_class(path, name)
    for hook in section.read("hook_drivers"):
        load_hook_class(hook, name)
    if ALIASES.get(path, path) == ALIASES["directory"]:
        directory.check(conf, name)
    if ALIASES.get(path, path) == ALIASES["btrfs"]:
        btrfs.check(conf, name)
    if ALIASES.get(path, path) == ALIASES["namespace"]:
        namespace.check(conf, name)
