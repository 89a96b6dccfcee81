# SPDX-License-Identifier: Apache-2.0
"""NfsDriver: mounting, secure options, and placement, with a client that mounts nothing."""

import pytest

from manila_lite import exception
from manila_lite.conf.nfs import nfs_opts
from manila_lite.testing import volume_models
from manila_lite.testing.clock import ManualClock
from manila_lite.testing.volume_models import snapshot, volume
from manila_lite.volume.drivers.nfs import NfsDriver
from tests.support.remotefs import Commands

GIB = 1 << 30
SECRET = "hunter2"


class Client:
    """In os-brick's stead: fails as often as told, then remembers what it mounted."""

    def __init__(self, base):
        self.base = base
        self.failures = []
        self.mounted = []

    def get_mount_point(self, share):
        return f"{self.base}/{share.replace('/', '_')}"

    def mount(self, share, flags=None):
        if self.failures:
            raise self.failures.pop(0)
        self.mounted.append((share, flags))


class Nfs(NfsDriver):
    def _make_client(self, execute):
        return Client(self.base)


@pytest.fixture
def commands():
    return Commands()


@pytest.fixture
def make(tmp_path, commands):
    """Make a driver with shares a and b (or the lines given), mounted below tmp_path."""

    def build(*lines, is_new=True, **options):
        shares = tmp_path / "shares"
        shares.write_text("\n".join(lines or ("a:/srv -o vers=4", "b:/srv")) + "\n")
        for name in ("a:_srv", "b:_srv"):
            (tmp_path / "mnt" / name).mkdir(parents=True, exist_ok=True)
        return volume_models.driver(
            Nfs,
            nfs_opts,
            keywords={"execute": commands, "clock": ManualClock(), "is_vol_db_empty": is_new},
            nfs_shares_config=str(shares),
            nfs_mount_point_base=str(tmp_path / "mnt"),
            **options,
        )

    return build


@pytest.fixture
def driver(make):
    driver = make()
    driver.do_setup(None)
    return driver


def test_set_up_mounts_every_share_with_its_options(driver):
    assert driver._remotefsclient.mounted == [("a:/srv", ["-o", "vers=4"]), ("b:/srv", [])]
    assert driver._mounted_shares == ["a:/srv", "b:/srv"]


def test_bare_nas_mount_options_get_what_mount_needs_before_them(make):
    driver = make(nas_host="a", nas_share_path="/srv", nas_mount_options="vers=4.1,hard")
    driver.do_setup(None)
    assert driver._remotefsclient.mounted == [("a:/srv", ["-o", "vers=4.1,hard"])]


def test_a_mount_that_fails_is_tried_again_after_a_pause(make):
    driver = make("a:/srv", nfs_mount_attempts=3)
    driver._remotefsclient.failures = [OSError("no route"), OSError("no route")]
    driver.do_setup(None)
    assert driver._mounted_shares == ["a:/srv"]
    assert driver._clock.monotonic() == 2


@pytest.mark.parametrize(("attempts", "tries"), [(2, 2), (1, 1), (0, 1), (-3, 1)])
def test_tries_to_mount_end_and_at_least_one_is_made(make, attempts, tries):
    driver = make("a:/srv", nfs_mount_attempts=attempts)
    failures = driver._remotefsclient.failures = [OSError("no route")] * 5
    with pytest.raises(exception.NfsMountFailed, match="a:/srv.*no route") as caught:
        driver._ensure_share_mounted("a:/srv")
    assert len(failures) == 5 - tries
    assert exception.classify(caught.value) is exception.ErrorKind.TRANSIENT


def test_a_password_in_what_mount_says_is_masked(make, caplog):
    driver = make("a:/srv", nfs_mount_attempts=1)
    driver._remotefsclient.failures = [OSError(f"mount -o username=u,password={SECRET} a:/srv")]
    with caplog.at_level("DEBUG"), pytest.raises(exception.NfsMountFailed) as caught:
        driver._ensure_share_mounted("a:/srv")
    assert SECRET not in f"{caught.value}{caplog.text}"


def test_set_up_without_one_share_that_can_be_mounted_fails(make):
    driver = make("a:/srv", nfs_mount_attempts=1)
    driver._remotefsclient.failures = [OSError("no route")]
    with pytest.raises(exception.NfsNoSharesMounted):
        driver.do_setup(None)


def test_set_up_without_the_file_of_shares_fails_and_names_it(make, tmp_path):
    driver = make()
    (tmp_path / "shares").unlink()
    with pytest.raises(exception.NfsException, match="nfs_shares_config = .*/shares"):
        driver.do_setup(None)


def test_set_up_without_mount_nfs_fails_and_names_it(make, commands):
    commands.answers["mount.nfs"] = FileNotFoundError(2, "No such file")
    with pytest.raises(exception.NfsException, match=r"mount\.nfs"):
        make().do_setup(None)


def test_a_new_back_end_works_as_the_services_user(driver, commands):
    assert driver.secure_file_operations_enabled()
    assert driver._execute_as_root is False
    driver._delete("/x")
    assert commands.as_root[-1] is False


def test_a_back_end_with_volumes_works_as_root_and_warns(make, caplog):
    driver = make(is_new=False)
    driver.do_setup(None)
    assert driver._execute_as_root is True
    assert driver.configuration.nas_secure_file_permissions == "false"
    assert "nas_secure_file_operations is false" in caplog.text


def test_each_option_is_settled_by_itself(make):
    driver = make(is_new=False, nas_secure_file_operations="True")
    driver.do_setup(None)
    assert driver.secure_file_operations_enabled()
    assert driver.configuration.nas_secure_file_permissions == "false"


def test_snapshots_need_the_option(driver):
    with pytest.raises(exception.VolumeDriverException, match="nfs_snapshot_support"):
        driver.create_snapshot(snapshot(volume(provider_location="a:/srv")))


# Placement.


def df(size, free):
    return f"Filesystem 1-blocks Used Available Capacity\nx {size} {size - free} {free} 1% /x\n"


def test_the_share_in_the_volumes_host_is_taken(driver, commands):
    commands.answers["df"] = df(100 * GIB, 50 * GIB)
    assert driver._find_share(volume(host="node@nfs#b:/srv")) == "b:/srv"


@pytest.mark.parametrize("host", ["node@nfs", "node@nfs#Generic_NFS"])
def test_without_a_share_in_the_host_the_one_that_promised_least_is_taken(
    driver, commands, tmp_path, host
):
    commands.answers["df"] = df(100 * GIB, 50 * GIB)
    with open(tmp_path / "mnt" / "a:_srv" / "volume-1", "wb") as file:
        file.truncate(GIB)
    assert driver._find_share(volume(host=host)) == "b:/srv"


def test_the_share_in_the_host_has_to_be_mounted(driver):
    driver._mounted_shares = ["a:/srv"]
    with pytest.raises(exception.NfsNoSharesMounted, match="b:/srv"):
        driver._find_share(volume(host="node@nfs#b:/srv"))
    driver._mounted_shares = []
    with pytest.raises(exception.NfsNoSharesMounted):
        driver._find_share(volume())


@pytest.mark.parametrize(
    ("options", "size", "free", "promised", "wanted", "fits"),
    [
        ({}, 10, 5, 0, 100, True),
        ({}, 10, 5, 150, 50, True),
        ({}, 10, 5, 150, 51, False),
        ({"max_over_subscription_ratio": "1.0"}, 10, 5, 4, 6, True),
        ({"max_over_subscription_ratio": "1.0"}, 10, 5, 4, 7, False),
        ({"max_over_subscription_ratio": "auto"}, 10, 5, 199, 1, True),
        ({"reserved_percentage": 50}, 10, 5, 0, 1, True),
        ({"reserved_percentage": 51}, 10, 5, 0, 1, False),
        ({"nfs_sparsed_volumes": False}, 10, 5, 0, 5, True),
        ({"nfs_sparsed_volumes": False}, 10, 5, 0, 6, False),
        ({"nfs_sparsed_volumes": False, "reserved_percentage": 10}, 10, 5, 0, 5, False),
        ({"nfs_sparsed_volumes": False, "nfs_qcow2_volumes": True}, 10, 5, 0, 6, True),
        ({"nas_volume_prov_type": "thick"}, 10, 5, 0, 6, False),
    ],
)
def test_what_fits_is_what_may_be_promised(make, options, size, free, promised, wanted, fits):
    driver = make(**options)
    capacity = (size * GIB, free * GIB, promised * GIB)
    assert driver._is_share_eligible("a:/srv", wanted, capacity) is fits


def test_a_volume_for_which_there_is_no_room_is_refused(driver, commands):
    commands.answers["df"] = df(10 * GIB, 0)
    with pytest.raises(exception.NfsNoSuitableShareFound, match="300 GiB"):
        driver._find_share(volume(300))


def test_the_report_has_a_pool_for_each_share(driver, commands, tmp_path):
    commands.answers["df"] = df(100 * GIB, 50 * GIB)
    with open(tmp_path / "mnt" / "a:_srv" / "volume-1", "wb") as file:
        file.truncate(3 * GIB)
    first, second = driver.get_volume_stats(refresh=True)["pools"]
    assert (first["pool_name"], second["pool_name"]) == ("a:/srv", "b:/srv")
    assert (first["provisioned_capacity_gb"], second["provisioned_capacity_gb"]) == (3, 0)
    assert (first["total_capacity_gb"], first["free_capacity_gb"]) == (100, 50)
    assert first["thin_provisioning_support"] and not first["thick_provisioning_support"]


def test_a_header_that_a_guest_wrote_promises_nothing(driver, commands, tmp_path):
    commands.answers["df"] = df(100 * GIB, 50 * GIB)
    with open(tmp_path / "mnt" / "a:_srv" / "volume-1", "wb") as file:
        file.write(b"QFI\xfb" + (3).to_bytes(4) + bytes(16) + (1 << 60).to_bytes(8) + bytes(72))
        file.truncate(GIB)
    assert driver._get_capacity_info("a:/srv")[2] == GIB


def test_the_pool_of_a_volume_is_the_share_on_which_it_is(driver):
    assert driver.get_pool(volume(provider_location="b:/srv")) == "b:/srv"
    assert driver.get_pool(volume(host="node@nfs#a:/srv")) == "a:/srv"
