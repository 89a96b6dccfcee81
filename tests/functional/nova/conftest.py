# SPDX-License-Identifier: Apache-2.0
"""Volumes that guests hold, a Nova that moves the guests from image to image, and the service."""

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


@pytest.fixture
def sites(daemons, nova, tmp_path):
    """A function that makes the site: sites(image_format). Its service runs."""
    # Not before it is needed: most tests here need no service.
    from tests.functional.nova.site import Site, configuration

    made = []

    def make(image_format, **options):
        directory = tmp_path / "volumes"
        directory.mkdir()
        daemon = daemons(
            f"sqlite:///{tmp_path}/database.sqlite",
            **configuration(directory, nova, image_format, **options),
        )
        made.append(Site(daemon, nova, directory, image_format))
        made[-1].start()
        daemon.wait_ready()
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture
def site(sites, image_format):
    """A site whose service runs, for volumes of either format."""
    return sites(image_format)


@pytest.fixture
def raw_site(sites):
    """A site with raw volumes, for what does not depend on the format."""
    return sites("raw")


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
def go_wrong(nova):
    """A function: the next requests of a kind meet these troubles, one each; then none."""

    def arrange(kind, *troubles):
        left = list(troubles)
        nova.troubles = lambda asked, _: left.pop(0) if asked == kind and left else NONE

    return arrange
