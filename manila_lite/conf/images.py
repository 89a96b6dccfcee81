# SPDX-License-Identifier: Apache-2.0
"""Where images come from and how they are converted.

Cinder's names where Cinder has the option, so that a cinder.conf works as it is.
"""

from __future__ import annotations

import os
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from oslo_config import cfg

from manila_lite import exception

GLANCE_GROUP = "glance"

OPTS: list[cfg.Opt] = [
    cfg.StrOpt(
        "image_service",
        default="file://$state_path/images",
        help="Where images are kept: 'glance', the image service of OpenStack, as section "
        "[glance] says, or 'file://' and the absolute path of a directory.",
    ),
    cfg.StrOpt(
        "image_conversion_dir",
        default="$state_path/conversion",
        help="Directory for images that are being downloaded or converted. It needs room for the "
        "largest image, once as it is and once converted. What a crash left there is removed when "
        "the service starts.",
    ),
    cfg.BoolOpt(
        "image_conversion_disable",
        default=False,
        help="Refuse images whose format is not the volume's, instead of converting them.",
    ),
    cfg.IntOpt(
        "image_conversion_cpu_limit",
        default=60,
        min=1,
        help="Processor seconds that one look at an image (qemu-img info, check) may take.",
    ),
    cfg.IntOpt(
        "image_conversion_address_space_limit",
        default=1,
        min=1,
        help="GiB of address space that one look at an image may take.",
    ),
    cfg.IntOpt(
        "image_conversion_timeout",
        default=6 * 3600,
        min=1,
        help="Seconds after which the conversion of an image is given up.",
    ),
    cfg.BoolOpt(
        "image_compress_on_upload",
        default=False,
        help="Compress images of format qcow2 that are made from volumes. Takes much more time.",
    ),
    cfg.ListOpt(
        "vmdk_allowed_types",
        default=["streamOptimized", "monolithicSparse"],
        help="createTypes of VMDK images that are accepted. Types whose data lie in other files "
        "are refused even if they are named here.",
    ),
]

GLANCE_OPTS: list[cfg.Opt] = [
    cfg.ListOpt(
        "glance_api_servers",
        deprecated_group="DEFAULT",
        help="URLs of the image service, tried one after the other. Not set: the catalogue of "
        "Keystone tells.",
    ),
    cfg.IntOpt(
        "glance_num_retries",
        default=3,
        min=0,
        max=100,
        deprecated_group="DEFAULT",
        help="How many times a request is repeated, a second apart, when the image service cannot "
        "be reached. An upload that has begun is not repeated.",
    ),
    cfg.StrOpt("region_name", help="Region of the image service. Not set: the catalogue's first."),
    cfg.StrOpt(
        "interface",
        default="public",
        choices=["public", "internal", "admin"],
        help="Kind of the end point that is looked up in the catalogue.",
    ),
    cfg.StrOpt(
        "auth_type",
        deprecated_name="auth_plugin",
        help="Plugin of keystoneauth by which this service identifies itself, such as 'password'; "
        "the plugin's own options follow in the same section. 'none', or not set: no token is "
        "sent, and glance_api_servers is needed.",
    ),
    cfg.StrOpt(
        "auth_section",
        help="Section from which auth_type and the plugin's options are read instead of this one.",
    ),
    cfg.StrOpt(
        "cafile",
        deprecated_name="glance_ca_certificates_file",
        deprecated_group="DEFAULT",
        help="PEM file of the certificate authorities that are trusted.",
    ),
    cfg.StrOpt(
        "certfile",
        deprecated_name="glance_certfile",
        deprecated_group="DEFAULT",
        help="PEM file of this service's own certificate.",
    ),
    cfg.StrOpt(
        "keyfile",
        deprecated_name="glance_keyfile",
        deprecated_group="DEFAULT",
        help="PEM file of the key that belongs to certfile.",
    ),
    cfg.BoolOpt(
        "insecure",
        default=False,
        deprecated_name="glance_api_insecure",
        deprecated_group="DEFAULT",
        help="Do not check the servers' certificates.",
    ),
    cfg.IntOpt(
        "timeout",
        default=60,
        min=1,
        max=3600,
        deprecated_name="glance_request_timeout",
        deprecated_group="DEFAULT",
        help="Seconds of silence after which a request counts as lost.",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options readable on ``conf``."""
    conf.register_opts(OPTS)
    conf.register_opts(GLANCE_OPTS, group=GLANCE_GROUP)


def directory_of(conf: cfg.ConfigOpts) -> str | None:
    """The directory that image_service names, or None for Glance.

    Raises ConfigurationError for what is neither.
    """
    url: str = conf.image_service
    if url == GLANCE_GROUP:
        return None
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.scheme != "file" or parts.netloc or not os.path.isabs(path) or path == "/":
        reason = "must be 'glance', or 'file://' and an absolute path"
        _refuse("DEFAULT", "image_service", url, reason)
    return path


def auth_group(conf: cfg.ConfigOpts) -> str:
    """The section that holds auth_type and the plugin's options; its auth_type is readable then."""
    section: str = conf[GLANCE_GROUP].auth_section or GLANCE_GROUP
    options = {opt.name: opt for opt in GLANCE_OPTS}
    conf.register_opt(options["auth_type"], group=section)
    return section


def is_authenticated(conf: cfg.ConfigOpts) -> bool:
    """Whether the image service is sent tokens."""
    return conf[auth_group(conf)].auth_type not in (None, "none")


def check(conf: cfg.ConfigOpts) -> None:
    """Raise ConfigurationError for what cannot be right. Connects to nothing."""
    directory = directory_of(conf)
    if not os.path.isabs(conf.image_conversion_dir):
        _refuse("DEFAULT", "image_conversion_dir", conf.image_conversion_dir,
                "must be an absolute path")  # fmt: skip
    if directory is None:
        _check_glance(conf)


def glance_urls(conf: cfg.ConfigOpts) -> list[str]:
    """What glance_api_servers names, as URLs of the API's version 2; a bare host:port is HTTP."""
    urls = []
    for server in conf[GLANCE_GROUP].glance_api_servers or []:
        url = (server if "//" in server else f"http://{server}").rstrip("/")
        urls.append(url if url.endswith("/v2") else f"{url}/v2")
    return urls


def _check_glance(conf: cfg.ConfigOpts) -> None:
    urls = glance_urls(conf)
    for url in urls:
        if not _is_http(url):
            reason = "must be a URL that begins with http:// or https://"
            _refuse(GLANCE_GROUP, "glance_api_servers", url, reason)
    if not urls and not is_authenticated(conf):
        _refuse(GLANCE_GROUP, "glance_api_servers", "(not set)",
                "must be set where auth_type is not")  # fmt: skip


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def _refuse(section: str, option: str, value: str, reason: str) -> NoReturn:
    raise exception.ConfigurationError(section=section, option=option, value=value, reason=reason)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Options by section, for the sample file."""
    return [("DEFAULT", OPTS), (GLANCE_GROUP, GLANCE_OPTS)]
