# SPDX-License-Identifier: Apache-2.0
"""The servers that a benchmark uses: a database of its own, and names of its own on the broker.

MANILA_LITE_TEST_POSTGRESQL_URL and MANILA_LITE_TEST_RABBITMQ_URL say where they are, as for the
tests.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import urllib.parse
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kombu

from tests.fixtures.databases import fresh_url
from tests.fixtures.rabbitmq import DEFAULT_URL, Broker

POSTGRESQL = "PostgreSQL"
SQLITE = "SQLite"


@contextlib.contextmanager
def database(kind: str, directory: Path) -> Iterator[str]:
    """Lend the URL of an empty database, dropped at the end; SQLite's lies in the directory."""
    with fresh_url(kind.lower(), directory) as url:
        yield url


@dataclasses.dataclass(frozen=True)
class Place:
    """Where on the broker a benchmark works: nothing else uses these names."""

    broker: Broker
    exchange: str
    topic: str

    def options(self) -> dict[str, Any]:
        """Of section [DEFAULT], for a daemon that shall listen here."""
        return {
            "transport_url": self.broker.url,
            "control_exchange": self.exchange,
            "share_topic": self.topic,
            "scheduler_topic": f"{self.topic}-scheduler",
        }

    def queue(self, name: str) -> kombu.Queue:
        """A queue as the daemon declares its own: durable, quorum, one active consumer."""
        return kombu.Queue(
            name,
            kombu.Exchange(self.exchange, type="topic", durable=True),
            routing_key=name,
            durable=True,
            queue_arguments={"x-queue-type": "quorum", "x-single-active-consumer": True},
        )


@contextlib.contextmanager
def rabbitmq() -> Iterator[Place]:
    """Lend a place on the broker: a virtual host of its own where rabbitmqctl may make one."""
    parts = urllib.parse.urlsplit(os.environ.get("MANILA_LITE_TEST_RABBITMQ_URL", DEFAULT_URL))
    unique = uuid.uuid4().hex[:8]
    names = (f"benchmark-{unique}", f"manila-share-{unique}")
    common = Broker(parts.netloc, urllib.parse.unquote(parts.path[1:]) or "/")
    own = f"manila-lite-{unique}"
    try:
        common.ctl("add_vhost", own)
        common.ctl("set_permissions", "-p", own, parts.username or "guest", ".*", ".*", ".*")
    except (RuntimeError, OSError):
        yield Place(common, *names)
        return
    try:
        yield Place(Broker(parts.netloc, own), *names)
    finally:
        common.ctl("delete_vhost", own)
