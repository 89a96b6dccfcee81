# SPDX-License-Identifier: Apache-2.0
"""Connections to Glance: what is particular to keystoneauth and openstacksdk."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from manila_lite import exception, no_eventlet
from manila_lite.conf import images as images_conf


def make_proxies(conf: cfg.ConfigOpts) -> list[Any]:
    """openstacksdk's client of the image API, one for each server that is to be tried in turn.

    Raises ConfigurationError for credentials that are incomplete, and what keystoneauth raises
    when Keystone is away.
    """
    session = _session(conf)
    urls = images_conf.glance_urls(conf) or [None]
    return [_proxy(conf, session, url) for url in urls]


def connection_errors() -> tuple[type[Exception], ...]:
    """What a request raises that got no answer."""
    with no_eventlet.hidden():
        import requests
        from keystoneauth1 import exceptions

    return (exceptions.ConnectionError, requests.exceptions.RequestException)


def never_connected(error: BaseException) -> bool:
    """Whether the request cannot have arrived."""
    return exception.classify(error) is exception.ErrorKind.TRANSIENT


def _session(conf: cfg.ConfigOpts) -> Any:
    with no_eventlet.hidden():
        from keystoneauth1 import session

    section = conf[images_conf.GLANCE_GROUP]
    cert = (section.certfile, section.keyfile) if section.keyfile else section.certfile
    return session.Session(
        auth=_credentials(conf),
        verify=False if section.insecure else section.cafile or True,
        cert=cert or None,
        timeout=section.timeout,
        app_name="manila-lite",
    )


def _credentials(conf: cfg.ConfigOpts) -> Any:
    with no_eventlet.hidden():
        from keystoneauth1 import exceptions, loading, noauth

    if not images_conf.is_authenticated(conf):
        return noauth.NoAuth()
    group = images_conf.auth_group(conf)
    try:
        return loading.load_auth_from_conf_options(conf, group)
    except exceptions.ClientException as error:
        raise exception.ConfigurationError(
            section=group, option="auth_type", value=conf[group].auth_type,
            reason=" ".join(str(error).split()),
        ) from error  # fmt: skip


def _proxy(conf: cfg.ConfigOpts, session: Any, url: str | None) -> Any:
    with no_eventlet.hidden():
        from openstack import connection

    section = conf[images_conf.GLANCE_GROUP]
    return connection.Connection(
        session=session,
        region_name=section.region_name,
        image_api_version="2",
        image_interface=section.interface,
        image_endpoint_override=url,
        app_name="manila-lite",
    ).image
