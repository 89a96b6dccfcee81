# SPDX-License-Identifier: Apache-2.0
"""A driver of real volumes whose process dies at a moment that the test chooses.

A moment is a change of a file under the site's directory, or a command. Which one it is to be
stands in the orders file: "<method> <number, from 1> <before or during>". The file is gone when the
process has died by it, and says "survived" when the method came to its end before.
"""

import functools
import os
import signal
import sys
import threading
from pathlib import Path

from oslo_config import cfg

from manila_lite.testing import kills
from manila_lite.volume.drivers.localfs import LocalFsDriver

METHODS = (
    "create_volume", "create_volume_from_snapshot", "create_cloned_volume", "extend_volume",
    "create_snapshot", "delete_snapshot", "revert_to_snapshot", "copy_image_to_volume",
    "copy_volume_to_image", "migrate_volume", "delete_volume",
)  # fmt: skip
COMMAND = "subprocess.Popen"
SURVIVED = "survived"
DURING = 0.02  # seconds that a command has lived when its parent dies

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_call = threading.local()
_end = threading.Lock()  # of the one who says how it ended; who dies keeps it


class DyingDriver(LocalFsDriver):
    """As LocalFsDriver, with the option dying_orders: the path of the orders file."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values([cfg.StrOpt("dying_orders")])
        self.orders = Path(self.configuration.dying_orders)
        sys.addaudithook(functools.partial(_watch, self.orders))

    def method_is_called(self, name):
        """Begin to count the moments of this thread, if that is ordered."""
        try:
            method, number, moment = self.orders.read_text().split()
        except (FileNotFoundError, ValueError):
            return False
        if method != name:
            return False
        _call.left, _call.moment = int(number), moment
        return True

    def method_has_ended(self):
        _call.left = None
        with _end:
            self.orders.write_text(SURVIVED)


def _dying(name):
    method = getattr(LocalFsDriver, name)

    @functools.wraps(method)
    def called(self, *args, **kwargs):
        counted = self.method_is_called(name)
        result = method(self, *args, **kwargs)
        if counted:
            self.method_has_ended()
        return result

    return called


for _name in METHODS:
    setattr(DyingDriver, _name, _dying(_name))


def _watch(orders, event, arguments):
    left = getattr(_call, "left", None)
    if left is None or not _is_moment(orders, event, arguments):
        return
    if _call.moment == "during" and event != COMMAND:
        return
    _call.left = left - 1 or None
    if left > 1:
        return
    if _call.moment == "during":
        threading.Timer(DURING, _die, [orders]).start()
    else:
        _die(orders)


def _is_moment(orders, event, arguments):
    if event == COMMAND:
        return True
    if event == "open" and not (arguments[2] or 0) & _WRITING:
        return False
    root = str(orders.parent)
    return event in kills.CHANGES and any(str(a).startswith(root) for a in arguments)


def _die(orders):
    _end.acquire()
    orders.unlink(missing_ok=True)
    os.kill(os.getpid(), signal.SIGKILL)
