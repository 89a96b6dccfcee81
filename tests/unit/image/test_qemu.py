# SPDX-License-Identifier: Apache-2.0
"""The commands that are run: with a format, with limits, and with nothing that qemu-img guesses."""

import json

import pytest

from manila_lite import exception, process
from manila_lite.image import qemu, settings


class Runs:
    """Stands for the machine: keeps commands and answers with what a test says."""

    def __init__(self):
        self.commands = []
        self.options = []
        self.answer = json.dumps({"format": "qcow2", "virtual-size": 1024, "image-end-offset": 7,
                                  "required": 5})  # fmt: skip

    def __call__(self, *command, **options):
        self.commands.append(list(command))
        self.options.append(options)
        return self.answer, ""


@pytest.fixture
def runs(monkeypatch):
    made = Runs()
    monkeypatch.setattr(process, "execute", made)
    settings.use(settings.Settings("/tmp", cpu_limit=11, address_space=3, timeout=99.0))
    yield made
    settings.use(None)


LOOKS = {
    "info": lambda: qemu.info("/v/x", "qcow2"),
    "shared info": lambda: qemu.info("/v/x", "raw", force_share=True),
    "check": lambda: qemu.check("/v/x", "qcow2"),
    "measure": lambda: qemu.space_needed("/v/x", "vmdk"),
}


@pytest.mark.parametrize("look", LOOKS)
def test_every_look_at_an_image_names_its_format_and_is_limited(runs, look):
    LOOKS[look]()
    (command,) = runs.commands
    assert command[command.index("-f") + 1] in ("qcow2", "raw", "vmdk")
    assert command[0] == "qemu-img"
    assert "--backing-chain" not in command
    limits = runs.options[0]["prlimit"]
    assert (limits.cpu_time, limits.address_space) == (11, 3 * 1024**3)
    assert runs.options[0]["timeout"] is not None


def test_a_conversion_names_both_formats_keeps_holes_and_is_flushed(runs):
    qemu.convert("/v/source", "/v/target", "vmdk", "raw")
    (command,) = runs.commands
    assert command[:2] == ["qemu-img", "convert"]
    assert command[-2:] == ["/v/source", "/v/target"]
    pairs = list(zip(command, command[1:], strict=False))
    assert ("-f", "vmdk") in pairs
    assert ("-O", "raw") in pairs
    assert ("-t", "writeback") in pairs
    assert "-S" not in command
    assert "-c" not in command
    assert runs.options[0]["timeout"] == 99.0
    assert runs.options[0]["prlimit"].address_space is not None


def test_a_conversion_does_more_only_where_it_is_told_to(runs):
    qemu.convert("/s", "/t", "raw", "vpc", subformat="fixed", compress=True, sparse=False)
    (command,) = runs.commands
    pairs = list(zip(command, command[1:], strict=False))
    assert ("-S", "0") in pairs
    assert ("-o", "subformat=fixed") in pairs
    assert "-c" in command


@pytest.mark.parametrize("path", ["x", "nbd://host/x", "json:{}", "-U", "fat:/etc"])
def test_qemu_img_is_never_given_what_it_could_take_for_something_else_than_a_file(runs, path):
    with pytest.raises(exception.PathRefused):
        qemu.info(path, "raw")
    with pytest.raises(exception.PathRefused):
        qemu.convert("/s", path, "raw", "raw")
    assert runs.commands == []


def test_a_subformat_cannot_bring_further_options(runs):
    with pytest.raises(exception.PathRefused):
        qemu.convert("/s", "/t", "raw", "vpc", subformat="fixed,backing_file=/etc/passwd")
    assert runs.commands == []


def test_only_what_qemu_img_can_check_is_checked(runs):
    qemu.check("/s", "vdi")
    assert runs.commands == []


def test_a_resize_names_the_format_and_the_size_in_bytes(runs):
    qemu.resize("/v/x", 3, "raw")
    (command,) = runs.commands
    assert command[:2] == ["qemu-img", "resize"]
    assert command[command.index("-f") + 1] == "raw"
    assert command[-2:] == ["/v/x", str(3 * 1024**3)]
