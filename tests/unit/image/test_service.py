# SPDX-License-Identifier: Apache-2.0
"""Which image service it is, and which ids it may be asked for."""

import pytest
from oslo_config import cfg

from manila_lite import exception
from manila_lite.conf import images
from manila_lite.image.choice import make_service
from manila_lite.image.directory import DirectoryImageService
from manila_lite.image.glance import GlanceImageService
from manila_lite.image.service import checked_id
from manila_lite.testing.clock import ManualClock


def configuration(**values):
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.StrOpt("state_path", default="/var/lib/manila"))
    images.register(conf)
    conf([])
    for name, value in values.items():
        conf.set_override(name, value)
    return conf


def test_a_directory_under_the_state_path_is_the_default():
    service = make_service(configuration(), ManualClock())
    assert isinstance(service, DirectoryImageService)
    assert images.directory_of(configuration()) == "/var/lib/manila/images"


def test_glance_is_used_where_it_is_named():
    service = make_service(configuration(image_service="glance"), ManualClock())
    assert isinstance(service, GlanceImageService)


@pytest.mark.parametrize(
    "value", ["", "/images", "http://glance/", "file://host/images", "file:images", "file:///"]
)
def test_anything_else_is_refused_before_the_service_starts(value):
    with pytest.raises(exception.ConfigurationError, match="image_service"):
        make_service(configuration(image_service=value), ManualClock())


def test_a_directory_may_have_any_name():
    conf = configuration(image_service="file:///srv/my%20images")
    assert images.directory_of(conf) == "/srv/my images"


@pytest.mark.parametrize("image_id", ["6e0d9b8e-7b0e-4c6e-9d8c-0a7f4a6f2f55", "debian-12.5_amd64"])
def test_ids_that_are_safe_in_a_path_are_accepted(image_id):
    assert checked_id(image_id) == image_id


@pytest.mark.parametrize(
    "image_id",
    ["", ".", "..", "a/b", "../x", ".hidden", "a..b", "a b", "a?b", "ä", "a\n", "x" * 129, None, 7],
)
def test_other_ids_are_refused(image_id):
    with pytest.raises(exception.InvalidImageRef):
        checked_id(image_id)
