# SPDX-License-Identifier: Apache-2.0
"""[manila_lite]: how messages are taken in. The broker's own options are oslo.messaging's."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "manila_lite"
QUORUM = "quorum"
MANILA = "manila"

OPTS = [
    cfg.StrOpt(
        "queue_compat",
        default=QUORUM,
        choices=[
            (QUORUM, "durable quorum queues; the workers of a back end take turns"),
            (MANILA, "what oslo.messaging declares: classic and not durable by default"),
        ],
        help="How queues and exchanges are declared. RabbitMQ refuses a declaration that differs "
        "from what exists, so choose 'manila' where the API services of an existing Manila use "
        "the same broker. The options of [oslo_messaging_rabbit] that the configuration sets "
        "(rabbit_quorum_queue, amqp_durable_queues) go before either.",
    ),
    cfg.IntOpt(
        "rpc_prefetch",
        default=200,
        min=1,
        max=65535,
        help="Messages that a worker holds unacknowledged at most. A value of "
        "[oslo_messaging_rabbit] rabbit_qos_prefetch_count goes before it.",
    ),
    cfg.IntOpt(
        "rpc_batch_size",
        default=100,
        min=1,
        max=1000,
        help="Messages that are recorded in one database transaction at most.",
    ),
    cfg.IntOpt(
        "rpc_call_threads",
        default=8,
        min=1,
        max=256,
        help="Calls (requests that wait for a reply) that are carried out at the same time.",
    ),
    cfg.IntOpt(
        "rpc_call_backlog",
        default=64,
        min=0,
        max=10000,
        help="Calls that may wait for a free thread. Further ones get an error as their reply.",
    ),
    cfg.IntOpt(
        "max_message_bytes",
        default=4 * 1024 * 1024,
        min=16 * 1024,
        help="Size of the largest message that is read. A larger one becomes a dead letter.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options readable on ``conf``."""
    conf.register_opts(OPTS, group=GROUP)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [(GROUP, OPTS)]
