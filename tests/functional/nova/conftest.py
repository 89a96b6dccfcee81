# SPDX-License-Identifier: Apache-2.0
"""Volumes that guests hold, a Nova that moves the guests from image to image, and the service."""

import contextlib
import shutil

import pytest

from tests.functional.nova.nova import NONE, Nova

_PROGRAMS = {"qemu-img": "qemu-utils", "qemu-storage-daemon": "qemu-system-common"}


@pytest.fixture(scope="session", autouse=True)
def programs():
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian package: {package})")


@pytest.fixture
def nova():
    """A Nova without instances that nothing goes wrong with."""
    made = Nova()
    yield made
    made.close()


@pytest.fixture(params=["raw", "qcow2"])
def image_format(request):
    """Of the volumes' own files."""
    return request.param


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """A function from an image format and options to a site that a module's tests share."""
    # Not before it is needed: most tests here need no service.
    from tests.functional.nova.site import running_site

    known = {}
    with contextlib.ExitStack() as stack:

        def get(image_format, **options):
            key = (image_format, *sorted(options.items()))
            if key not in known:
                directory = tmp_path_factory.mktemp("site")
                known[key] = stack.enter_context(running_site(directory, image_format, **options))
            return known[key]

        yield get


@pytest.fixture
def site(sites, image_format):
    """A site whose service runs, for volumes of either format, and has patience with Nova."""
    made = sites(image_format, seconds_for_nova=90)
    yield made
    made.calm()


@pytest.fixture
def raw_site(sites):
    """A site with raw volumes, for what does not depend on the format; its patience is short."""
    made = sites("raw")
    yield made
    made.calm()


@pytest.fixture
def volume(site):
    return site.create_volume()


@pytest.fixture
def guest(site, volume):
    """A guest that has the volume and writes all the time."""
    made = site.attach(volume)
    made.writer.run()
    made.wait_writes()
    return made


@pytest.fixture
def go_wrong(site):
    """A function: the next requests of a kind meet these troubles, one each; then none."""

    def arrange(kind, *troubles):
        left = list(troubles)
        site.nova.troubles = lambda asked, _: left.pop(0) if asked == kind and left else NONE

    return arrange
