# SPDX-License-Identifier: Apache-2.0
"""What Manila's share manager reads: from [DEFAULT] and from each back end's section."""

from __future__ import annotations

from oslo_config import cfg

OPTS = [
    cfg.StrOpt(
        "share_driver",
        default="manila.share.drivers.generic.GenericShareDriver",
        help="Class of the driver of a back end: its dotted path, or 'directory' for the driver "
        "that needs nothing but a directory, or 'btrfs' for the one that makes subvolumes.",
    ),
    cfg.BoolOpt(
        "unmanage_remove_access_rules",
        default=False,
        help="Whether unmanaging a share removes its access rules from the storage first.",
    ),
    cfg.BoolOpt(
        "delete_share_server_with_last_share",
        default=False,
        help="Whether a share server goes with the last share on it.",
    ),
    cfg.BoolOpt(
        "automatic_share_server_cleanup",
        default=True,
        help="Whether share servers without shares are removed after a while.",
    ),
    cfg.IntOpt(
        "unused_share_server_cleanup_interval",
        default=10,
        min=10,
        max=60,
        help="Minutes without shares after which a share server is removed.",
    ),
    cfg.IntOpt(
        "replica_state_update_interval",
        default=300,
        min=1,
        help="Seconds between two questions to the driver about the state of replicas.",
    ),
    cfg.IntOpt(
        "migration_driver_continue_update_interval",
        default=60,
        min=1,
        help="Seconds between two steps of a migration that the driver carries out.",
    ),
    cfg.IntOpt(
        "server_migration_driver_continue_update_interval",
        default=900,
        min=1,
        help="Seconds between two steps of a share server's migration.",
    ),
    cfg.IntOpt(
        "driver_backup_continue_update_interval",
        default=60,
        min=1,
        help="Seconds between two steps of a backup that the driver makes; in its first minute "
        "the driver is asked more often.",
    ),
    cfg.IntOpt(
        "driver_restore_continue_update_interval",
        default=60,
        min=1,
        help="The same for a backup that the driver restores.",
    ),
    cfg.IntOpt(
        "share_usage_size_update_interval",
        default=300,
        min=1,
        help="Seconds between two questions to the driver about the used space of shares.",
    ),
    cfg.BoolOpt(
        "enable_gathering_share_usage_size",
        default=False,
        help="Whether the driver is asked for the used space of shares at all.",
    ),
    cfg.BoolOpt(
        "share_service_inithost_offload",
        default=False,
        help="Read for compatibility: shares are always ensured beside the casts.",
    ),
    cfg.BoolOpt(
        "is_deferred_deletion_enabled",
        default=False,
        help="Whether a delete may answer before the storage has freed the space.",
    ),
    cfg.IntOpt(
        "periodic_deferred_delete_interval",
        default=300,
        min=1,
        help="Seconds between two tries to delete what was deferred.",
    ),
    cfg.IntOpt(
        "check_for_expired_shares_in_recycle_bin_interval",
        default=3600,
        min=1,
        help="Seconds between two looks for shares whose time in the recycle bin is over. They are "
        "deleted.",
    ),
    cfg.IntOpt(
        "check_for_expired_transfers",
        default=300,
        min=1,
        help="Seconds between two looks for offers to transfer a share that nobody accepted in "
        "time. The shares are available again.",
    ),
]


def register(conf: cfg.ConfigOpts, group: str | None = None) -> None:
    """Make the options readable on ``conf``, in [DEFAULT] or in a back end's section."""
    conf.register_opts(OPTS, group=group)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("DEFAULT", OPTS)]
