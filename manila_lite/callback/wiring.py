# SPDX-License-Identifier: Apache-2.0
"""The parts put together: for the daemon, which has an engine, and for any other WSGI server."""

from __future__ import annotations

from oslo_config import cfg

from manila_lite.callback import authentication
from manila_lite.callback.application import Application, Wsgi
from manila_lite.callback.recorder import Recorder
from manila_lite.callback.server import CallbackServer
from manila_lite.clock import Clock
from manila_lite.conf import callback as callback_conf
from manila_lite.db.session import Database
from manila_lite.engine.journal import Journal
from manila_lite.engine.registry import FlowRegistry


def make_application(conf: cfg.ConfigOpts, recorder: Recorder) -> Wsgi:
    """The guarded application; section [callback] decides who may come."""
    served = Application(
        recorder.journal,
        recorder.snapshot,
        max_body_bytes=conf[callback_conf.GROUP].max_body_bytes,
    )
    return authentication.guarded(served, conf)


def make_server(
    conf: cfg.ConfigOpts,
    *,
    database: Database,
    registry: FlowRegistry,
    clock: Clock,
    host: str,
    journal: Journal,
) -> CallbackServer | None:
    """A server for the process of one back end, not started yet; None where it is not wanted.

    host, journal: the back end's own ('host@backend') and its engine's. Make it after the fork;
    start it when callbacks can be recorded, and stop it before the database is interrupted.
    """
    section = conf[callback_conf.GROUP]
    if not section.enabled:
        return None
    recorder = Recorder(
        database,
        registry,
        clock,
        deadline=section.journal_timeout,
        own_host=host,
        own_journal=journal,
    )
    return CallbackServer.from_conf(make_application(conf, recorder), conf, clock)
