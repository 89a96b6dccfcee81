# SPDX-License-Identifier: Apache-2.0
"""Neutron as the plugins ask it: what is particular to openstacksdk and keystoneauth.

Every answer is a plain dictionary in Neutron's own words, every error a NetworkException.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from oslo_config import cfg

from manila_lite import exception, no_eventlet
from manila_lite.conf import neutron as options

T = TypeVar("T")

_AWAY: Final = frozenset({408, 429, 500, 502, 503, 504})


class Neutron:
    """Asks the Neutron of section [neutron]. Connects at the first request."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        options.register(conf)
        self._lock = threading.Lock()
        self._network: Any = None

    def get_network(self, network_id: str) -> dict[str, Any]:
        """Return a network. Raises NetworkException, also where there is none."""
        return self._ask(lambda network: _plain(network.get_network(network_id)))

    def get_subnet(self, subnet_id: str) -> dict[str, Any]:
        """Return a subnet. Raises NetworkException, also where there is none."""
        return self._ask(lambda network: _plain(network.get_subnet(subnet_id)))

    def list_ports(self, **query: str) -> list[dict[str, Any]]:
        """Return the ports to which the query applies."""
        return self._ask(lambda network: [_plain(port) for port in network.ports(**query)])

    def create_port(self, **attributes: Any) -> dict[str, Any]:
        """Make a port and return it.

        Raises PortLimitExceeded, IpAddressGenerationFailureClient, NetworkException.
        """
        return self._ask(lambda network: _plain(network.create_port(**attributes)))

    def delete_port(self, port_id: str) -> None:
        """Delete a port; one that is gone is no error."""
        self._ask(lambda network: network.delete_port(port_id, ignore_missing=True))

    def _ask(self, request: Callable[[Any], T]) -> T:
        with no_eventlet.hidden():
            from keystoneauth1 import exceptions as keystone_errors
            from openstack import exceptions as sdk_errors

        try:
            return request(self._connected())
        except sdk_errors.HttpException as error:
            raise _refusal(error) from error
        except (keystone_errors.ConnectionError, keystone_errors.DiscoveryFailure) as error:
            raise exception.NetworkUnavailable(reason=_line(error)) from error
        except keystone_errors.HttpError as error:
            if error.http_status in _AWAY:
                raise exception.NetworkUnavailable(reason=_line(error)) from error
            raise _bad(f"Keystone refuses this service: {_line(error)}") from error
        except (keystone_errors.ClientException, sdk_errors.SDKException, cfg.Error) as error:
            raise _bad(_line(error)) from error

    def _connected(self) -> Any:
        with self._lock:
            if self._network is None:
                self._network = self._connect()
            return self._network

    def _connect(self) -> Any:
        with no_eventlet.hidden():
            from openstack import connection as sdk

        section = self._conf[options.GROUP]
        connection = sdk.Connection(
            session=self._session(),
            region_name=section.region_name,
            network_api_version="2",
            network_interface=options.interface(self._conf),
            network_endpoint_override=section.url,
            app_name="manila-lite",
        )
        return connection.network

    def _session(self) -> Any:
        with no_eventlet.hidden():
            from keystoneauth1 import session

        section = self._conf[options.GROUP]
        cert = (section.certfile, section.keyfile) if section.keyfile else section.certfile
        return session.Session(
            auth=self._credentials(),
            verify=False if section.insecure else section.cafile or True,
            cert=cert or None,
            timeout=section.url_timeout,
            app_name="manila-lite",
        )

    def _credentials(self) -> Any:
        with no_eventlet.hidden():
            from keystoneauth1 import loading, noauth

        group = options.auth_group(self._conf)
        kind = self._conf[group].auth_type
        if not kind:
            raise _bad("auth_type is not set", group)
        if kind != options.NO_AUTHENTICATION:
            return loading.load_auth_from_conf_options(self._conf, options.GROUP)
        if not self._conf[options.GROUP].url:
            raise _bad("url has to be set where auth_type is none")
        return noauth.NoAuth()


def _plain(resource: Any) -> dict[str, Any]:
    """The body of an answer as it came: openstacksdk has other names for some of its keys."""
    return dict(resource.to_dict(original_names=True, computed=False))


def _refusal(error: Any) -> exception.ManilaException:
    """What an answer of Neutron with a status of 400 or more means."""
    text = _line(error)
    if error.status_code in _AWAY:
        return exception.NetworkUnavailable(reason=text)
    if "IpAddressGenerationFailure" in _type_of(error):
        return exception.IpAddressGenerationFailureClient(text)
    if "OverQuota" in _type_of(error):
        return exception.PortLimitExceeded(text)
    return exception.NetworkException(text)


def _type_of(error: Any) -> str:
    try:
        return str(error.response.json()["NeutronError"]["type"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return ""


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _bad(reason: str, group: str = options.GROUP) -> exception.NetworkBadConfigurationException:
    return exception.NetworkBadConfigurationException(reason=f"[{group}] {reason}")
