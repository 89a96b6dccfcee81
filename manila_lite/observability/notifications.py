# SPDX-License-Identifier: Apache-2.0
"""Notifications for billing and the like, by oslo.messaging's own options.

Nothing is sent until [oslo_messaging_notifications] driver names a driver, such as messagingv2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from oslo_config import cfg

from manila_lite import no_eventlet
from manila_lite.context import RequestContext

no_eventlet.choose_threads()

with no_eventlet.hidden():
    import oslo_messaging

Notify = Callable[[RequestContext, str, Mapping[str, Any]], None]


def make_notify(conf: cfg.ConfigOpts, host: str, service: str = "share") -> Notify:
    """Return notify(context, event type, payload) for the service at `host`.

    The publisher is 'share.<host>' as Manila's, or 'volume.<host>' as Cinder's. A notification that
    cannot be sent is logged by oslo.messaging and lost: it tells of something, it does not cause
    anything.
    """
    transport = oslo_messaging.get_notification_transport(conf)
    notifier = oslo_messaging.Notifier(transport, publisher_id=f"{service}.{host}")

    def notify(context: RequestContext, event: str, payload: Mapping[str, Any]) -> None:
        notifier.info(context.to_wire(), event, dict(payload))

    return notify
