# SPDX-License-Identifier: Apache-2.0
"""Keep eventlet out of the process, whatever is installed beside us.

oslo.messaging, oslo.service and futurist import eventlet when it can be imported, and oslo.service
takes it as its default. Nothing here uses green threads, so it would only cost memory and
start-up time.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Make ``import eventlet`` fail inside the block, unless it has been imported already.

    Outside the block it works as ever: a third-party driver may want it.
    """
    if "eventlet" in sys.modules:
        yield
        return
    sys.modules["eventlet"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop("eventlet", None)


def choose_threads() -> None:
    """Have oslo.service use native threads; may be called more than once.

    Comes before anything that imports ``oslo_service.service``, which settles on a back end
    while it is imported; oslo.messaging does.
    """
    with hidden():
        from oslo_service import backend

        backend.init_backend(backend.BackendType.THREADING)


def forbid_patching() -> None:
    """Have Manila's own modules keep to native threads, whatever the environment says."""
    os.environ["OS_MANILA_DISABLE_EVENTLET_PATCHING"] = "1"


def is_patched() -> bool:
    """Whether somebody has replaced Python's threads by eventlet's."""
    patcher = sys.modules.get("eventlet.patcher")
    return patcher is not None and any(map(patcher.is_monkey_patched, ("thread", "socket", "os")))
