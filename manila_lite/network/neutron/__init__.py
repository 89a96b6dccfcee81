# SPDX-License-Identifier: Apache-2.0
"""The Neutron network plugins: each address of a share server is a port of Neutron's."""

from manila_lite.network.neutron.plugin import NeutronNetworkPlugin, NeutronSingleNetworkPlugin

__all__ = ["NeutronNetworkPlugin", "NeutronSingleNetworkPlugin"]
