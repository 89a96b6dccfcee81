# SPDX-License-Identifier: Apache-2.0
"""Notifications go out in oslo.messaging's form, when a driver is configured."""

from typing import Any

import pytest
from oslo_config import cfg

from manila_lite import context as contexts
from manila_lite.observability import notifications
from manila_lite.rpc import transport


@pytest.fixture
def conf() -> cfg.ConfigOpts:
    from manila_lite.conf import load

    made = load.load([], [])
    transport.set_defaults(made)
    return made


def _sent(conf: cfg.ConfigOpts) -> list[dict[str, Any]]:
    from oslo_messaging.notify import _impl_test

    _impl_test.reset()
    notify = notifications.make_notify(conf, "node@alpha")
    notify(contexts.get_admin_context(), "share.consumed.size", {"used_size": 1.5})
    return [entry[1] for entry in _impl_test.NOTIFICATIONS]


def test_a_notification_names_its_publisher_its_event_and_its_payload(conf):
    conf(["--config-file", "/dev/null"])
    notifications.make_notify(conf, "node@alpha")
    conf.set_override("driver", ["test"], group="oslo_messaging_notifications")
    conf.set_override("transport_url", "fake://", group="oslo_messaging_notifications")

    (message,) = _sent(conf)

    assert message["publisher_id"] == "share.node@alpha"
    assert message["event_type"] == "share.consumed.size"
    assert message["payload"] == {"used_size": 1.5}


def test_nothing_is_sent_while_no_driver_is_configured(conf):
    assert _sent(conf) == []
