# SPDX-License-Identifier: Apache-2.0
"""What the share driver interface reads, from a back end's section before [DEFAULT].

Names, types and defaults are Manila's: a manila.conf works as it is, and third-party drivers read
these by name.
"""

from __future__ import annotations

from oslo_config import cfg

_BACKEND_OPTS = [
    cfg.IntOpt(
        "num_shell_tries",
        default=3,
        help="Tries that a command which is known to be flaky gets in all. Between two tries a "
        "driver waits 1, 4, 9 ... seconds.",
    ),
    cfg.StrOpt(
        "share_backend_name",
        help="Name under which the back end reports to the scheduler; share types select by it.",
    ),
    cfg.BoolOpt(
        "driver_handles_share_servers",
        help="Whether the driver makes share servers on the networks of projects. It has no "
        "default, so that the choice is made on purpose; a driver may support only one.",
    ),
    cfg.StrOpt(
        "replication_domain",
        help="Back ends with the same text here can replicate shares between each other. Unset: "
        "no replication.",
    ),
    cfg.StrOpt(
        "backend_availability_zone",
        default=None,
        help="Availability zone of this back end; unset: storage_availability_zone.",
    ),
]

_CAPACITY_OPTS = [
    cfg.IntOpt(
        "reserved_share_percentage",
        default=0,
        min=0,
        max=100,
        help="Percentage of the capacity in which the scheduler places no new shares.",
    ),
    cfg.IntOpt(
        "reserved_share_from_snapshot_percentage",
        default=0,
        min=0,
        max=100,
        help="The same for shares made from a snapshot, which have to be where the snapshot is.",
    ),
    cfg.IntOpt(
        "reserved_share_extend_percentage",
        default=0,
        min=0,
        max=100,
        help="The same for shares that grow.",
    ),
    cfg.FloatOpt(
        "max_over_subscription_ratio",
        default=20.0,
        help="How many times the physical capacity thin shares may be promised in all, for "
        "example 10.5. 1.0 promises no more than there is; less is refused.",
    ),
    cfg.StrOpt(
        "filter_function",
        help="Expression by which the scheduler decides whether this back end is suitable.",
    ),
    cfg.StrOpt(
        "goodness_function",
        help="Expression by which the scheduler rates this back end from 0 to 100.",
    ),
]

_NETWORK_OPTS = [
    cfg.StrOpt(
        "network_config_group",
        help="Section that configures the network plugin of share servers. Unset: the back end's "
        "own section. What is in neither is looked up in [DEFAULT].",
    ),
    cfg.StrOpt(
        "admin_network_config_group",
        help="Section that configures the network plugin of the administrators' network, for "
        "drivers that handle share servers and want one.",
    ),
]

_MIGRATION_OPTS = [
    cfg.ListOpt(
        "migration_ignore_files",
        default=["lost+found"],
        help="Names, without directories, of what is not copied when a share is migrated.",
    ),
    cfg.StrOpt(
        "share_mount_template",
        default="mount -vt %(proto)s %(options)s %(export)s %(path)s",
        help="Command that mounts a share of this back end. 'export' and 'path' have to be in it; "
        "'proto' and 'options' may be.",
    ),
    cfg.StrOpt(
        "share_unmount_template",
        default="umount -v %(path)s",
        help="Command that unmounts a share of this back end. 'path' has to be in it.",
    ),
    cfg.DictOpt(
        "protocol_access_mapping",
        default={"ip": ["nfs"], "user": ["cifs"]},
        help="Access types, each with the protocols that use it. In a file, several protocols are "
        "separated by spaces: ip: nfs, user: cifs.",
    ),
    cfg.BoolOpt(
        "migration_readonly_rules_support",
        default=True,
        deprecated_name="migration_readonly_support",
        deprecated_for_removal=True,
        deprecated_reason="Every driver has to support rules that only allow reading.",
        help="Whether access rules of this back end can be limited to reading.",
    ),
]

share_opts = [*_BACKEND_OPTS, *_CAPACITY_OPTS, *_NETWORK_OPTS, *_MIGRATION_OPTS]

ssh_opts = [
    cfg.IntOpt(
        "ssh_conn_timeout",
        default=60,
        help="Seconds within which an SSH connection to the storage has to stand.",
    ),
    cfg.IntOpt(
        "ssh_min_pool_conn",
        default=1,
        help="SSH connections that a driver keeps open at least.",
    ),
    cfg.IntOpt(
        "ssh_max_pool_conn",
        default=10,
        help="SSH connections that a driver opens at most.",
    ),
]

ganesha_opts = [
    cfg.StrOpt(
        "ganesha_config_dir",
        default="/etc/ganesha",
        help="Directory of nfs-ganesha's configuration.",
    ),
    cfg.StrOpt(
        "ganesha_config_path",
        default="$ganesha_config_dir/ganesha.conf",
        help="Main configuration file of nfs-ganesha.",
    ),
    cfg.StrOpt(
        "ganesha_service_name",
        default="ganesha.nfsd",
        help="Name of nfs-ganesha's service.",
    ),
    cfg.StrOpt(
        "ganesha_db_path",
        default="$state_path/manila-ganesha.db",
        help="Database file in which the drivers' Ganesha library numbers its exports.",
    ),
    cfg.StrOpt(
        "ganesha_export_dir",
        default="$ganesha_config_dir/export.d",
        help="Directory for the configuration of exports, one file each.",
    ),
    cfg.StrOpt(
        "ganesha_export_template_dir",
        default="/etc/manila/ganesha-export-templ.d",
        help="Directory of the templates from which exports are configured.",
    ),
    cfg.BoolOpt(
        "ganesha_rados_store_enable",
        default=False,
        help="Whether exports and their counter are kept in Ceph RADOS, so that several nodes "
        "can serve them.",
    ),
    cfg.StrOpt(
        "ganesha_rados_store_pool_name",
        help="RADOS pool for exports and their counter.",
    ),
    cfg.StrOpt(
        "ganesha_rados_export_counter",
        default="ganesha-export-counter",
        help="RADOS object that counts exports.",
    ),
    cfg.StrOpt(
        "ganesha_rados_export_index",
        default="ganesha-export-index",
        help="RADOS object that lists the URLs of the exports' objects.",
    ),
]


def register(conf: cfg.ConfigOpts, group: str | None = None) -> None:
    """Make share_opts readable on ``conf``, in [DEFAULT] or in a back end's section.

    ssh_opts and ganesha_opts are registered by the drivers that use them.
    """
    conf.register_opts(share_opts, group=group)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("DEFAULT", [*share_opts, *ssh_opts, *ganesha_opts])]
