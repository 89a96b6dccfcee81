# SPDX-License-Identifier: Apache-2.0
"""Drivers to ask things of."""

import pytest
from oslo_config import cfg

from manila_lite import network
from manila_lite.conf import network as network_options
from manila_lite.conf import share_driver as options
from manila_lite.share.configuration import Configuration
from manila_lite.share.driver import ShareDriver


class RecordingPlugin(network.NetworkBaseAPI):
    """A network plugin that remembers what it was asked."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.calls = []

    def allocate_network(self, context, share_server, share_network=None, **kwargs):
        self.calls.append(("allocate", share_server["id"], share_network, kwargs))

    def deallocate_network(self, context, share_server_id, **kwargs):
        self.calls.append(("deallocate", share_server_id))

    def update_network_allocation(self, context, share_server):
        self.calls.append(("update", share_server["id"]))

    def manage_network_allocations(self, context, allocations, share_server, **kwargs):
        return []

    def unmanage_network_allocations(self, context, share_server_id):
        pass

    def include_network_info(self, share_network_subnet):
        pass


@pytest.fixture
def conf():
    conf = cfg.ConfigOpts()
    conf([])
    conf.register_opts(options.share_opts)
    conf.register_opts(options.share_opts, group="alpha")
    conf.register_opts(network_options.OPTS)
    conf.set_override("driver_handles_share_servers", False, group="alpha")
    conf.set_override("network_api_class", f"{__name__}.RecordingPlugin")
    return conf


@pytest.fixture
def configuration(conf):
    return Configuration([], config_group="alpha", conf=conf)


@pytest.fixture
def make(configuration):
    """Make a driver of a class, with overrides of options in its section."""

    def build(cls=ShareDriver, modes=(True, False), **overrides):
        for name, value in overrides.items():
            configuration.conf.set_override(name, value, group="alpha")
        return cls(modes, configuration=configuration)

    return build


@pytest.fixture
def driver(make):
    return make()


@pytest.fixture
def server_driver(make):
    """A driver that handles share servers."""
    return make(driver_handles_share_servers=True)
