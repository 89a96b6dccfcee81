# SPDX-License-Identifier: Apache-2.0
"""The volume driver interface, put together from its families."""

from __future__ import annotations

from manila_lite.volume.driver.base import DriverBase
from manila_lite.volume.driver.connections import ConnectionMethods
from manila_lite.volume.driver.groups import GroupMethods
from manila_lite.volume.driver.images import ImageMethods
from manila_lite.volume.driver.management import ManagementMethods
from manila_lite.volume.driver.volumes import VolumeMethods


class BaseVD(
    VolumeMethods,
    ImageMethods,
    ConnectionMethods,
    ManagementMethods,
    GroupMethods,
    DriverBase,
):
    """What a volume driver derives from.

    A driver redefines the methods it supports. What it leaves out raises NotImplementedError,
    which the service takes for "not supported", or returns what says the same.
    Objects that methods get answer by attribute and by key; sizes are in GiB. A method that
    returns a dictionary returns columns of the row to be changed, such as provider_location.
    """
