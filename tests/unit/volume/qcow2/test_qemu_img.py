# SPDX-License-Identifier: Apache-2.0
"""Which commands are run, and what is made of qemu-img's answers."""

import json

import pytest

from manila_lite import exception
from manila_lite.volume.qcow2 import qemu_img

ANSWER = {
    "filename": "/s/v.aa",
    "format": "qcow2",
    "virtual-size": 1 << 30,
    "actual-size": 200704,
    "cluster-size": 65536,
    "backing-filename": "v",
    "backing-filename-format": "raw",
    "dirty-flag": False,
    "format-specific": {"type": "qcow2", "data": {"compat": "1.1", "corrupt": False}},
}


class Recorder:
    def __init__(self, output=""):
        self.output = output
        self.commands = []
        self.options = []

    def __call__(self, *command, **options):
        self.commands.append(list(command))
        self.options.append(options)
        return self.output, ""


def test_information_is_asked_for_with_the_format_and_within_limits():
    recorder = Recorder(json.dumps(ANSWER))
    info = qemu_img.info("/s/v.aa", "qcow2", force_share=True, execute=recorder)
    assert recorder.commands == [
        ["qemu-img", "info", "--output=json", "-U", "-f", "qcow2", "/s/v.aa"]
    ]
    limits = recorder.options[0]["prlimit"]
    assert limits.address_space == 1 << 30
    assert limits.cpu_time == 30
    assert recorder.options[0]["timeout"] <= 60
    assert (info.file_format, info.virtual_size, info.disk_size) == ("qcow2", 1 << 30, 200704)
    assert (info.backing_file, info.backing_format, info.data_file) == ("v", "raw", None)


def test_what_lies_in_other_files_is_told():
    data = {"data-file": "/etc/x", "extents": [{"filename": "/s/v.aa"}, {"filename": "/etc/y"}]}
    info = qemu_img.parse_info(json.dumps({**ANSWER, "format-specific": {"data": data}}))
    assert info.data_file == "/etc/x"
    assert info.extents == ["/etc/y"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "image: x\nfile format: raw",
        "{}",
        json.dumps({**ANSWER, "format": None}),
        json.dumps({**ANSWER, "virtual-size": "many"}),
        json.dumps({**ANSWER, "backing-filename": 7}),
        json.dumps({**ANSWER, "format-specific": []})[:-5],
    ],
)
def test_an_answer_of_another_form_is_an_error(text):
    with pytest.raises(qemu_img.InvalidImageInfo):
        qemu_img.parse_info(text)


@pytest.mark.parametrize(
    ("call", "command"),
    [
        (
            lambda e: qemu_img.create_overlay("/s/n", "v", "raw", 5, execute=e),
            "qemu-img create -q -u -f qcow2 -F raw -b v /s/n 5",
        ),
        (
            lambda e: qemu_img.create("/s/n", "qcow2", 5, options="x=y", execute=e),
            "qemu-img create -q -f qcow2 -o x=y /s/n 5",
        ),
        (lambda e: qemu_img.commit("/s/n", execute=e), "qemu-img commit -q -d -f qcow2 /s/n"),
        (
            lambda e: qemu_img.rebase_header("/s/n", "v", "raw", execute=e),
            "qemu-img rebase -q -u -f qcow2 -F raw -b v /s/n",
        ),
        (
            lambda e: qemu_img.resize("/s/n", "raw", 7, execute=e),
            "qemu-img resize -q -f raw /s/n 7",
        ),
        (
            lambda e: qemu_img.convert("/s/n", "/s/m", "qcow2", "raw", execute=e),
            "qemu-img convert -f qcow2 -O raw /s/n /s/m",
        ),
    ],
)
def test_each_command_has_its_formats_and_its_limits(call, command):
    recorder = Recorder()
    call(recorder)
    assert [" ".join(one) for one in recorder.commands] == [command]
    assert recorder.options[0]["prlimit"].address_space
    assert recorder.options[0]["timeout"]


def test_a_relative_path_is_refused_before_qemu_takes_it_for_a_protocol():
    recorder = Recorder()
    with pytest.raises(exception.PathRefused):
        qemu_img.info("nbd:host", "raw", execute=recorder)
    assert recorder.commands == []
