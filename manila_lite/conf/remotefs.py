# SPDX-License-Identifier: Apache-2.0
"""What drivers of volumes on remote file systems read. Names, types and defaults are Cinder's."""

from __future__ import annotations

from oslo_config import cfg

AUTO_SECURE = ("auto", "true", "false")

nas_opts: list[cfg.Opt] = [
    cfg.StrOpt(
        "nas_host",
        default="",
        deprecated_name="nas_ip",
        help="Address or name of the storage, for back ends with one share. With nas_share_path "
        "it takes the place of a file of shares.",
    ),
    cfg.StrOpt(
        "nas_login",
        default="admin",
        help="User name for the storage system.",
    ),
    cfg.StrOpt(
        "nas_password",
        default="",
        secret=True,
        help="Password for the storage system.",
    ),
    cfg.PortOpt(
        "nas_ssh_port",
        default=22,
        help="Port of the storage system's SSH service.",
    ),
    cfg.StrOpt(
        "nas_private_key",
        default="",
        help="File with the private key for SSH to the storage system.",
    ),
    cfg.StrOpt(
        "nas_secure_file_operations",
        default="auto",
        help="Whether files on the shares are worked on as the service's own user (true) or as "
        "root (false). auto: true where this back end had no volumes at its first start, which a "
        "marker file on the share keeps; false otherwise.",
    ),
    cfg.StrOpt(
        "nas_secure_file_permissions",
        default="auto",
        help="Whether volume files are for the service's user and group only (true: mode 660) or "
        "for anybody to read and write (false). auto: as for nas_secure_file_operations.",
    ),
    cfg.StrOpt(
        "nas_share_path",
        default="",
        help="Path of the share on nas_host, such as /srv/volumes for the NFS export "
        "192.0.2.5:/srv/volumes.",
    ),
    cfg.StrOpt(
        "nas_mount_options",
        help="Options with which the share at nas_host is mounted.",
    ),
]

volume_opts: list[cfg.Opt] = [
    cfg.StrOpt(
        "nas_volume_prov_type",
        default="thin",
        choices=["thin", "thick"],
        help="Whether new volumes take room as they are written (thin) or at once (thick).",
    ),
]


def register(conf: cfg.ConfigOpts, group: str | None = None) -> None:
    """Make the options readable on ``conf``, in the section of a back end."""
    conf.register_opts([*nas_opts, *volume_opts], group=group)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("<back end>", [*nas_opts, *volume_opts])]
