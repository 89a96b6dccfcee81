# SPDX-License-Identifier: Apache-2.0
"""Connections to Glance: what is particular to keystoneauth and openstacksdk."""

from __future__ import annotations

import dataclasses
from typing import Any

from oslo_config import cfg

from manila_lite import exception, no_eventlet
from manila_lite.conf import images as images_conf


@dataclasses.dataclass(frozen=True)
class Link:
    """http: openstacksdk's REST client of the image API; it needs its connection to live."""

    connection: Any
    http: Any


def make_links(conf: cfg.ConfigOpts) -> list[Link]:
    """A way to each server that is to be tried in turn. Connects to nothing.

    Raises ConfigurationError for credentials that are incomplete.
    """
    session = _session(conf)
    urls: list[str | None] = [*images_conf.glance_urls(conf)]
    return [_link(conf, session, url) for url in urls or [None]]


def connection_errors() -> tuple[type[Exception], ...]:
    """What a request raises that got no answer."""
    with no_eventlet.hidden():
        import requests
        from keystoneauth1 import exceptions

    return (
        exceptions.ConnectionError,
        exceptions.DiscoveryFailure,
        requests.exceptions.RequestException,
    )


def refusals() -> tuple[type[Exception], ...]:
    """What keystoneauth raises beside them: Keystone said no, or has no address for the service."""
    with no_eventlet.hidden():
        from keystoneauth1 import exceptions

    return (exceptions.ClientException,)


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


def _link(conf: cfg.ConfigOpts, session: Any, url: str | None) -> Link:
    with no_eventlet.hidden():
        from openstack import connection as sdk

    section = conf[images_conf.GLANCE_GROUP]
    connection = sdk.Connection(
        session=session,
        region_name=section.region_name,
        image_api_version="2",
        image_interface=section.interface,
        image_endpoint_override=url,
        app_name="manila-lite",
    )
    # connection.image would ask for versions at once, of a server that may be away; it is what
    # tells its client which connection it belongs to, too.
    http = connection.config.get_session_client("image")
    http._connection = connection
    return Link(connection, http)
