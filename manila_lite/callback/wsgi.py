# SPDX-License-Identifier: Apache-2.0
"""The callbacks for any other WSGI server: `manila_lite.callback.wsgi:application`.

Reads the usual configuration files, or the one that MANILA_LITE_CONFIG_FILE names. Everything is
made at the first request, in the process that answers it: a server may fork after it imported this.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any

from oslo_config import cfg

from manila_lite.callback import wiring
from manila_lite.callback.application import StartResponse, Wsgi
from manila_lite.callback.recorder import Recorder
from manila_lite.clock import SystemClock
from manila_lite.conf import callback as callback_conf
from manila_lite.conf import load
from manila_lite.db.session import Database
from manila_lite.observability import logging as log_setup

CONFIG_FILE = "MANILA_LITE_CONFIG_FILE"


def from_conf(conf: cfg.ConfigOpts) -> Wsgi:
    """Build everything from the configuration, with a database of its own."""
    # Brings the drivers' and the image services' modules along.
    from manila_lite.volume import flows

    callback_conf.check(conf)
    log_setup.setup(conf)
    clock = SystemClock()
    recorder = Recorder(
        Database.from_conf(conf, clock=clock),
        flows.registry,
        clock,
        deadline=conf[callback_conf.GROUP].journal_timeout,
    )
    return wiring.make_application(conf, recorder)


class _Lazy:
    def __init__(self) -> None:
        self._made: Wsgi | None = None
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        with self._lock:
            if self._made is None:
                path = os.environ.get(CONFIG_FILE)
                self._made = from_conf(load.load(config_files=[path] if path else None))
        return self._made(environ, start_response)


application = _Lazy()
