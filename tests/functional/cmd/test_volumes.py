# SPDX-License-Identifier: Apache-2.0
"""A day's work with volumes: commands, a daemon, real images in directories of this machine."""

import json
import shutil
import subprocess

import pytest

from tests.fixtures.daemon import VolumeDaemon

WAIT = ("--wait", "--timeout", "60")

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
    # Many commands, each a process, on a machine that may be busy.
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("qemu-img") is None, reason="needs qemu-img (qemu-utils)"),
]


@pytest.fixture
def folders(tmp_path):
    found = [tmp_path / name for name in ("first", "second")]
    for folder in found:
        folder.mkdir()
    return found


@pytest.fixture
def site(database_url, daemons, folders):
    """A daemon that runs, with volumes in two directories."""
    backend = {"localfs_volume_dir": ",".join(map(str, folders))}
    daemon = daemons(database_url, VolumeDaemon, backend=backend)
    daemon.start()
    daemon.wait_ready()
    return daemon


@pytest.fixture
def shell(site, shell_of):
    return shell_of(site)


def files(folders, volume):
    """The volume's files by name, wherever they are."""
    name = f"volume-{volume['id']}"
    return {path.name: path for folder in folders for path in folder.glob(f"{name}*")}


def write(path, text, fmt="raw"):
    subprocess.run(
        ["qemu-io", "-f", fmt, "-c", f"write -P {ord(text)} 0 4096", str(path)],
        check=True, capture_output=True,
    )  # fmt: skip


def shows(path, text, fmt):
    """Whether an image begins with that."""
    done = subprocess.run(
        ["qemu-io", "-r", "-f", fmt, "-c", f"read -P {ord(text)} 0 4096", str(path)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return "verification failed" not in done.stdout


def active(folders, volume):
    """The image that a guest would get, and its format."""
    found = files(folders, volume)
    name = f"volume-{volume['id']}"
    if f"{name}.info" not in found:
        return found[name], "raw"
    path = found[json.loads(found[f"{name}.info"].read_text())["active"]]
    return path, "raw" if path.name == name else "qcow2"


def test_a_volume_from_its_making_to_its_end(shell, folders):
    disk = shell.read("volume", "create", "--size", "1", "--name", "disk", *WAIT)
    assert disk["status"] == "available"
    write(active(folders, disk)[0], "a")
    monday = shell.read("volume", "snapshot", "create", "disk", "--name", "monday", *WAIT)
    assert monday["status"] == "available"
    write(*_swapped(active(folders, disk), "b"))

    again = shell.read("volume", "create", "--snapshot", "monday", "--name", "again", *WAIT)
    copy = shell.read("volume", "clone", "disk", "--name", "copy", "--size", "2", *WAIT)
    assert shows(active(folders, again)[0], "a", "raw")
    assert shows(active(folders, copy)[0], "b", "raw")

    assert shell.read("volume", "revert", "disk", *WAIT)["status"] == "available"
    path, fmt = active(folders, disk)
    assert shows(path, "a", fmt)
    shell.type("volume", "snapshot", "delete", "monday", *WAIT)
    assert shell.read("volume", "extend", "disk", "3", *WAIT)["size"] == 3
    shell.type("volume", "snapshot", "create", "copy", *WAIT)
    shell.type("volume", "delete", "disk", "again", *WAIT)
    shell.type("volume", "delete", "copy", "--cascade", *WAIT)

    assert shell.read("volume", "list") == shell.read("volume", "snapshot", "list") == []
    assert [path for volume in (disk, again, copy) for path in files(folders, volume)] == []
    assert {row["state"] for row in shell.read("op", "list")} == {"succeeded"}
    [service] = shell.read("service", "list")
    assert (service["binary"], service["workers"]) == ("manila-lite-volume", 1)
    assert len(shell.read("pool", "list")) == 2


def _swapped(found, text):
    path, fmt = found
    return path, text, fmt


def test_an_image_is_made_of_a_volume_and_a_volume_of_the_image(shell, folders):
    disk = shell.read("volume", "create", "--size", "1", "--name", "disk", *WAIT)
    write(active(folders, disk)[0], "i")

    sent = shell.read("volume", "upload", "disk", "--image-name", "golden", *WAIT)
    made = shell.read("volume", "create", "--size", "1", "--image", sent["image_id"], *WAIT)

    assert (sent["status"], made["status"], made["bootable"]) == ("available", "available", True)
    assert shows(active(folders, made)[0], "i", "raw")


def test_a_volume_is_moved_to_another_directory(shell, site, folders):
    disk = shell.read("volume", "create", "--size", "1", "--name", "disk", *WAIT)
    write(active(folders, disk)[0], "m")
    [other] = [folder for folder in folders if not disk["host"].endswith(str(folder))]

    moved = shell.read("volume", "migrate", "disk", f"{site.host}#{other}", *WAIT)

    assert moved["host"] == f"{site.host}#{other}"
    path, fmt = active(folders, disk)
    assert path.parent == other
    assert shows(path, "m", fmt)


def test_a_damaged_record_is_found_by_a_check_and_mended_by_a_repair(shell, folders):
    disk = shell.read("volume", "create", "--size", "1", "--name", "disk", *WAIT)
    shell.type("volume", "snapshot", "create", "disk", "--name", "monday", *WAIT)
    record = files(folders, disk)[f"volume-{disk['id']}.info"]
    before = json.loads(record.read_text())
    assert shell.read("volume", "check", "disk", "--timeout", "60")[0]["findings"] == []
    record.write_text("{")

    [found] = shell.read("volume", "check", "disk", "--timeout", "60")
    [planned] = shell.read("volume", "repair", "disk", "--timeout", "60")
    assert found["findings"] and planned["findings"]
    assert record.read_text() == "{"
    shell.type("volume", "repair", "disk", "--apply", "--timeout", "60")

    assert json.loads(record.read_text()) == before
    assert shell.read("volume", "check", "disk", "--timeout", "60")[0]["findings"] == []


def test_a_snapshot_of_an_attached_volume_without_a_nova_ends_in_error_with_the_reason(shell):
    shell.read("volume", "create", "--size", "1", "--name", "disk", *WAIT)
    shell.read("volume", "attach", "disk", "--host-name", "here")

    said = shell.type("volume", "snapshot", "create", "disk", "--name", "m", *WAIT, code=4).stderr

    assert "[nova]" in said
    assert shell.read("volume", "snapshot", "show", "m")["status"] == "error"
    shell.type("volume", "snapshot", "delete", "m", *WAIT)
    assert shell.read("volume", "detach", "disk")["status"] == "available"
    shell.type("volume", "delete", "disk", *WAIT)


def test_requests_over_the_broker_are_waited_for_and_checks_go_through_the_journal(
    database_url, daemons, folders, shell_of, rabbitmq, names
):
    daemon = daemons(
        database_url,
        VolumeDaemon,
        transport_url=rabbitmq.url,
        default={"control_exchange": names["exchange"], "volume_topic": names["topic"]},
        backend={"localfs_volume_dir": folders[0]},
    )
    daemon.start()
    daemon.wait_ready()
    shell = shell_of(daemon)

    made = shell.read("volume", "create", "--size", "1", "--name", "disk", *WAIT)
    assert (made["status"], made["operation"]) == ("available", None)
    taken = shell.read("volume", "snapshot", "create", "disk", "--name", "monday", *WAIT)
    assert (taken["status"], taken["operation"]) == ("available", None)
    assert shell.read("volume", "check", "disk", "--timeout", "60")[0]["findings"] == []
    shell.type("volume", "delete", "disk", "--cascade", *WAIT)

    assert shell.read("volume", "list") == []
