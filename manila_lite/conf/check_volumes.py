# SPDX-License-Identifier: Apache-2.0
"""What can be known to be wrong with the volume service's configuration before it starts.

Each check raises ConfigurationError, one line that names section, option and value.
"""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf import (
    callback,
    coordination,
    engine,
    images,
    localfs,
    nfs,
    nova,
    opts,
    remotefs,
    volume,
    volume_driver,
)
from manila_lite.conf.check import (
    HIDDEN,
    check_backend_names,
    check_common,
    check_state_path,
    check_timers,
    check_values,
    refuse,
)
from manila_lite.conf.drivers import LOCALFS, NFS, VOLUME_ALIASES, load_volume_driver_class
from manila_lite.conf.sections import Section

_OPTION = "enabled_volume_backends"


def check_volume_service(conf: cfg.ConfigOpts) -> None:
    """Check what the volume daemon needs; return only when all of it can be used.

    Imports the drivers' classes but calls nothing of them. Does not connect to anything.
    """
    check_common(conf)
    check_state_path(conf)
    check_timers(conf)
    for module in (images, nova, callback):
        module.check(conf)
    check_coordination(conf)
    check_volume_backends(conf)


def check_coordination(conf: cfg.ConfigOpts) -> None:
    """Check that [coordination] backend_url, where it is set, can be a URL of tooz."""
    url = conf[coordination.GROUP].backend_url
    if url and not re.match(r"[a-z0-9+]+://", url):
        # What is no URL may be a password in the wrong place.
        refuse(coordination.GROUP, "backend_url", HIDDEN, "must be a URL such as redis://host:6379")
    if url and urlsplit(url).scheme == "file" and not os.path.isabs(urlsplit(url).path):
        refuse(coordination.GROUP, "backend_url", url, "must name a directory: file:///path")


def check_volume_backends(conf: cfg.ConfigOpts) -> None:
    """Check that there is a back end, and each one's section, driver and numbers."""
    names = opts.volume_backend_names(conf)
    check_backend_names(conf, _OPTION, names)
    for name in names:
        if name in opts.backend_names(conf):
            refuse("DEFAULT", _OPTION, name, "is a back end of shares as well")
        _check_backend(conf, name)


def _check_backend(conf: cfg.ConfigOpts, name: str) -> None:
    section = Section(conf, name)
    section.add([*volume.BACKEND_OPTS, *volume_driver.volume_opts])
    # What [DEFAULT] has for the back ends is known only now.
    check_values(conf, [None])
    ratio = section.read("max_over_subscription_ratio")
    if volume_driver.over_subscription_ratio(ratio) < 1.0:
        refuse(name, "max_over_subscription_ratio", ratio, "must be 'auto' or at least 1.0")
    engine.retry_policies(conf, name)
    path = section.read("volume_driver")
    load_volume_driver_class(path, name)
    found = VOLUME_ALIASES.get(path, path)
    if found in (LOCALFS, NFS):
        section.add(remotefs.nas_opts)
        _check_remotefs(section, name)
    if found == LOCALFS:
        localfs.check(conf, name)
    if found == NFS:
        section.add(nfs.nfs_opts)
        _check_nfs(section, name)


def _check_remotefs(section: Section, name: str) -> None:
    for option in ("nas_secure_file_operations", "nas_secure_file_permissions"):
        value = section.read(option)
        if value.lower() not in ("auto", "true", "false"):
            refuse(name, option, value, "must be auto, true or false")


def _check_nfs(section: Section, name: str) -> None:
    """Whether the file of shares is there is asked at run time, as it is read again and again."""
    host, path = section.read("nas_host"), section.read("nas_share_path")
    if bool(host) != bool(path):
        given, missing = ("nas_host", "nas_share_path") if host else ("nas_share_path", "nas_host")
        raise exception.ConfigurationError(
            section=name, option=missing, value="(not set)", reason=f"must be set with {given}"
        )
    if not host and not section.read("nfs_shares_config"):
        refuse(name, "nfs_shares_config", None, "must name a file, or nas_host be set")
