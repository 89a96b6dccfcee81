# SPDX-License-Identifier: Apache-2.0
"""Options of images: a cinder.conf works as it is, and mistakes are found before the start."""

import pytest
from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf import images


@pytest.fixture
def configured(tmp_path):
    def make(text):
        path = tmp_path / "file.conf"
        path.write_text(text)
        conf = cfg.ConfigOpts()
        conf.register_opt(cfg.StrOpt("state_path", default="/var/lib/manila"))
        images.register(conf)
        conf(["--config-file", str(path)])
        return conf

    return make


CINDERS = """
[DEFAULT]
image_service = glance
glance_api_servers = http://one:9292, two:9292
glance_num_retries = 5
glance_ca_certificates_file = /etc/ssl/ours.pem
glance_api_insecure = true
glance_request_timeout = 7
image_conversion_dir = /var/tmp/conversion
vmdk_allowed_types = streamOptimized
"""


def test_options_are_read_from_where_cinder_has_them(configured):
    conf = configured(CINDERS)
    images.check(conf)
    assert images.glance_urls(conf) == ["http://one:9292/v2", "http://two:9292/v2"]
    section = conf.glance
    assert (section.glance_num_retries, section.insecure, section.timeout) == (5, True, 7)
    assert section.cafile == "/etc/ssl/ours.pem"
    assert conf.vmdk_allowed_types == ["streamOptimized"]


def test_compression_is_off_unless_somebody_wants_it(configured):
    assert configured("").image_compress_on_upload is False


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("image_service = ftp://x/y", "image_service"),
        ("image_conversion_dir = here", "image_conversion_dir"),
        ("image_service = glance", "glance_api_servers"),
        ("image_service = glance\nglance_api_servers = ftp://x", "glance_api_servers"),
        ("image_service = glance\nglance_api_servers = http://x:99999", "glance_api_servers"),
        ("image_service = glance\n[glance]\nauth_type = none", "glance_api_servers"),
    ],
)
def test_what_cannot_be_right_is_one_line_that_names_the_option(configured, text, option):
    conf = configured(f"[DEFAULT]\n{text}\n")
    with pytest.raises(exception.ConfigurationError, match=option) as caught:
        images.check(conf)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "image_service = glance\n[glance]\nauth_type = password",
        "image_service = glance\n[glance]\nauth_section = keystone\n[keystone]\nauth_type = token",
    ],
)
def test_what_can_be_right_is_accepted(configured, text):
    images.check(configured(f"[DEFAULT]\n{text}\n"))
