# SPDX-License-Identifier: Apache-2.0
"""Snapshots of volumes that libvirt's guests hold, by the calls that Nova makes of libvirt."""

import json
import tempfile
from pathlib import Path

import pytest

from tests.functional.nova import checks, images
from tests.functional.nova.images import qemu_img
from tests.libvirt import boot_sector
from tests.libvirt.boot_sector import SECTOR


@pytest.fixture(params=["raw", "qcow2"])
def site(sites, request):
    return sites(request.param, seconds_for_nova=60)


@pytest.fixture
def volume(site):
    return site.create_volume()


@pytest.fixture
def domain(site, volume, libvirt_host, tmp_path):
    """A running domain that has the volume and writes to it all the time."""
    from tests.libvirt.domain import Domain

    made = Domain(libvirt_host, tmp_path, volume.id, volume.path, site.image_format)
    site.note_attached(volume)
    site.nova.attach(volume.id, made)
    made.wait_writes(boot_sector.PLACES)
    yield made
    made.stop()


def numbers_in(path, image_format):
    """{offset: number} of the sectors that the guest wrote, as the image shows them."""
    with tempfile.TemporaryDirectory(prefix="manila-lite-image-") as directory:
        raw = Path(directory, "raw")
        qemu_img("convert", "-U", "-f", image_format, "-O", "raw", path, raw)
        places = {boot_sector.place(number) for number in range(boot_sector.PLACES)}
        with raw.open("rb") as file:
            return {offset: number_at(file, offset) for offset in places}


def number_at(file, offset):
    file.seek(offset)
    data = file.read(SECTOR)
    number = int.from_bytes(data[:4], "little")
    assert data == boot_sector.sector(number), f"a sector at {offset} is torn"
    return number


def assert_shows(path, image_format, least, most):
    """The image shows what the guest's disk was when it had written some number of these."""
    found = numbers_in(path, image_format)
    last = max(found.values())
    assert least <= last <= most
    assert found == {offset: boot_sector.last_at(offset, last) for offset in found}


def chain_of(site, domain):
    """File names from the base to the active image."""
    kind = site.image_format if "." not in domain.active.name else "qcow2"
    return list(reversed(images.chain(domain.active, kind)))


def assert_snapshots(site, volume, domain, snapshot_ids):
    """`.info` and chain fit, and each snapshot shows its moment."""
    chain = chain_of(site, domain)
    info = checks.info_of(volume.path)
    assert info.pop("active", volume.path.name) == chain[-1].path.name
    assert set(info) == set(snapshot_ids)
    assert sorted(info.values()) == sorted(image.path.name for image in chain[1:])
    names = {path.name for path in volume.path.parent.glob(f"{volume.path.name}*")}
    assert names <= {*(image.path.name for image in chain), f"{volume.path.name}.info"}
    for snapshot_id in snapshot_ids:
        above = [image.path.name for image in chain].index(info[snapshot_id])
        lower = chain[above - 1]
        assert_shows(lower.path, lower.format, *domain.counts[snapshot_id])


def three(site, volume, domain):
    made = []
    for _ in range(3):
        made.append(site.snapshot(volume))
        domain.wait_writes(20)
    return made


@pytest.mark.parametrize("order", [(0, 0, 0), (1, 1, 0), (2, 1, 0)], ids=str)
def test_snapshots_are_taken_and_merged_under_a_guest_of_libvirt(site, volume, domain, order):
    made = three(site, volume, domain)
    assert_snapshots(site, volume, domain, made)
    for place in order:
        site.delete(made.pop(place))
        domain.wait_writes(20)
        assert_snapshots(site, volume, domain, made)
    chain = chain_of(site, domain)
    assert len(chain) == 1
    written = domain.stop()
    site.nova.detach(volume.id)
    assert_shows(chain[0].path, chain[0].format, *written)


def test_what_is_left_is_deleted_without_nova_when_the_guest_is_gone(site, volume, domain):
    made = three(site, volume, domain)
    site.delete(made.pop(1))
    written = domain.stop()
    site.nova.detach(volume.id)
    site.note_detached(volume)
    while made:
        site.delete(made.pop())
        active = checks.info_of(volume.path).get("active", volume.path.name)
        path = volume.path.with_name(active)
        kind = site.image_format if "." not in active else "qcow2"
        assert_shows(path, kind, *written)


def test_the_boot_sector_is_what_its_listing_says():
    image = boot_sector.image()
    assert len(image) == 2 << 20
    assert image[510:512] == b"\x55\xaa"
    assert json.dumps(sorted({boot_sector.place(n) % (4 << 20) for n in range(512)})) == "[0]"
    assert len({boot_sector.place(n) for n in range(boot_sector.PLACES)}) == boot_sector.PLACES
