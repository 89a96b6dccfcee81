# SPDX-License-Identifier: Apache-2.0
"""The share driver interface: Manila's ShareDriver, ExecuteMixin and GaneshaMixin.

One module here holds one family of methods; ShareDriver is all of them.
"""

from manila_lite.conf.share_driver import ganesha_opts, share_opts, ssh_opts
from manila_lite.share.driver.execute import ExecuteMixin, GaneshaMixin
from manila_lite.share.driver.interface import ShareDriver

__all__ = [
    "ExecuteMixin",
    "GaneshaMixin",
    "ShareDriver",
    "ganesha_opts",
    "share_opts",
    "ssh_opts",
]
