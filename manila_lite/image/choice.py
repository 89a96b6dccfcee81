# SPDX-License-Identifier: Apache-2.0
"""The image service that the configuration names, made ready for use."""

from __future__ import annotations

import logging

from oslo_config import cfg

from manila_lite.clock import Clock
from manila_lite.conf import images as images_conf
from manila_lite.image import settings, temporary
from manila_lite.image.directory import DirectoryImageService
from manila_lite.image.glance import GlanceImageService
from manila_lite.image.service import ImageService

LOG = logging.getLogger(__name__)


def make_service(conf: cfg.ConfigOpts, clock: Clock) -> ImageService:
    """The service that the option image_service names. Connects to nothing yet.

    Raises ConfigurationError for a value that names none.
    """
    directory = images_conf.directory_of(conf)
    if directory is None:
        return GlanceImageService(conf, clock)
    return DirectoryImageService(directory, clock)


def prepare(conf: cfg.ConfigOpts, clock: Clock) -> ImageService:
    """For the start of a service: take the options, clear up after a crash, make the image service.

    What cannot be cleared up is logged and stays: the next start tries again.
    """
    settings.use_configuration(conf)
    service = make_service(conf, clock)
    try:
        temporary.remove_abandoned()
        if isinstance(service, DirectoryImageService):
            service.remove_abandoned()
    except OSError as error:
        LOG.warning("what interrupted conversions left cannot be removed: %s", error)
    return service
