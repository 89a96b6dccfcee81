# SPDX-License-Identifier: Apache-2.0
"""The connection to the broker, with this project's defaults for oslo.messaging's options."""

from __future__ import annotations

from oslo_config import cfg

from manila_lite import no_eventlet
from manila_lite.conf import rpc as rpc_conf
from manila_lite.rpc import oslo_inside

with no_eventlet.hidden():
    import oslo_messaging

# Exceptions of these modules are raised as themselves where a call fails.
_REMOTE_EXCEPTIONS = ["manila_lite.exception", "manila.exception"]


def set_defaults(conf: cfg.ConfigOpts) -> None:
    """Apply [manila_lite] queue_compat and rpc_prefetch to what the operator has not set.

    Defaults only: whatever [oslo_messaging_rabbit] or the query of transport_url says, counts.
    """
    oslo_inside.register_options(conf)
    group = oslo_inside.RABBIT_GROUP
    ours = conf[rpc_conf.GROUP]
    quorum = ours.queue_compat == rpc_conf.QUORUM
    conf.set_default("rabbit_quorum_queue", quorum, group=group)
    conf.set_default("amqp_durable_queues", quorum, group=group)
    conf.set_default("rabbit_qos_prefetch_count", ours.rpc_prefetch, group=group)


def single_active_consumer(conf: cfg.ConfigOpts) -> bool:
    """Whether the workers of one back end take turns on its queue, so that order is kept."""
    return conf[rpc_conf.GROUP].queue_compat == rpc_conf.QUORUM


def make_transport(conf: cfg.ConfigOpts) -> oslo_messaging.Transport:
    """Make the transport that ``transport_url`` names. Does not connect yet.

    :raises oslo_messaging.InvalidTransportURL, oslo_messaging.DriverLoadFailure: for a bad URL.
    """
    set_defaults(conf)
    return oslo_messaging.get_rpc_transport(conf, allowed_remote_exmods=_REMOTE_EXCEPTIONS)
