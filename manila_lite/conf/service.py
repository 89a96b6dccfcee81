# SPDX-License-Identifier: Apache-2.0
"""[DEFAULT]: who this service is, where it keeps its state and how often it does its rounds."""

from __future__ import annotations

import socket

from oslo_config import cfg
from oslo_service import opts as oslo_service_opts

PROTOCOLS = (
    "NFS", "CIFS", "GLUSTERFS", "HDFS", "CEPHFS", "MAPRFS", "LUSTRE", "WEKAFS",
)  # fmt: skip

IDENTITY_OPTS = [
    cfg.StrOpt(
        "host",
        default=socket.gethostname(),
        sample_default="<host name>",
        help="Name of this node in rows, queues and reports. Any text without '@' and '#'. "
        "Keep it when the machine is replaced: shares belong to it.",
    ),
    cfg.StrOpt(
        "state_path",
        default="/var/lib/manila",
        help="Directory in which the service keeps its own files. Without [database] "
        "connection, the SQLite database lies here.",
    ),
    cfg.StrOpt(
        "storage_availability_zone",
        default="nova",
        help="Availability zone of this node, unless a back end's section names its own.",
    ),
    cfg.StrOpt("share_topic", default="manila-share", help="Topic of the share services."),
    cfg.StrOpt("scheduler_topic", default="manila-scheduler", help="Topic of the schedulers."),
    cfg.StrOpt("data_topic", default="manila-data", help="Topic of the data services."),
]

BACKEND_OPTS = [
    cfg.ListOpt(
        "enabled_share_backends",
        help="Sections of this file that describe a back end each. One process serves each.",
    ),
    cfg.ListOpt(
        "enabled_share_protocols",
        default=["NFS", "CIFS"],
        help="Protocols in which shares may be made. Known: " + ", ".join(PROTOCOLS) + ".",
    ),
    cfg.StrOpt("default_share_type", help="Share type for a share whose request names none."),
]

TIMER_OPTS = [
    cfg.IntOpt(
        "report_interval",
        default=10,
        min=1,
        help="Seconds between two signs of life in the services table.",
    ),
    cfg.IntOpt(
        "service_down_time",
        default=60,
        min=1,
        help="Seconds without a sign of life after which a service counts as down.",
    ),
    cfg.IntOpt(
        "periodic_interval",
        default=60,
        min=0,
        help="Seconds between two rounds of the periodic tasks, such as capability reports. "
        "0: none.",
    ),
    cfg.IntOpt(
        "periodic_fuzzy_delay",
        default=60,
        min=0,
        help="Upper limit, in seconds, of the random delay before the first periodic round, "
        "so that many services do not start theirs at once.",
    ),
]

NAME_OPTS = [
    cfg.StrOpt(
        "share_name_template",
        default="share-%s",
        help="Name that drivers give a share on the storage; %s is the share instance's id.",
    ),
    cfg.StrOpt(
        "share_snapshot_name_template",
        default="share-snapshot-%s",
        help="Name that drivers give a snapshot; %s is the snapshot instance's id.",
    ),
    cfg.StrOpt(
        "share_backup_name_template",
        default="share-backup-%s",
        help="Name that drivers give a backup; %s is the backup's id.",
    ),
]

# oslo.service registers it, under this name and default; here it is only listed.
_LISTED_OPTS = [
    cfg.IntOpt(
        "graceful_shutdown_timeout",
        default=60,
        min=0,
        help="Seconds that a stop waits for steps that run. What has not ended by then is taken up "
        "again at the next start, or by another worker.",
    ),
]

OPTS = [*IDENTITY_OPTS, *BACKEND_OPTS, *TIMER_OPTS, *NAME_OPTS]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options readable on ``conf``, with oslo.service's own graceful_shutdown_timeout."""
    conf.register_opts(OPTS)
    oslo_service_opts.register_service_opts(conf)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("DEFAULT", [*OPTS, *_LISTED_OPTS])]
