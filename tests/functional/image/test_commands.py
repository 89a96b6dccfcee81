# SPDX-License-Identifier: Apache-2.0
"""manila-lite image: files become images, if they are what they are said to be, and come back."""

import json

import pytest
from click.testing import CliRunner
from oslo_config import cfg

from manila_lite.clock import SystemClock
from manila_lite.cmd import errors
from manila_lite.cmd.app import App
from manila_lite.cmd.main import main
from manila_lite.conf import opts
from tests.functional.image.conftest import contents, qemu_img


@pytest.fixture
def shell(tmp_path):
    """A function that types a command, and returns what it answers."""
    conf = cfg.ConfigOpts()
    opts.register_all(conf)
    conf([], default_config_files=[], default_config_dirs=[])
    conf.set_override("image_service", f"file://{tmp_path}/images")

    def type_(*words, code=0):
        app = App(clock=SystemClock())
        app.__dict__.update(conf=conf)
        result = CliRunner().invoke(main, ["--json", *map(str, words)], obj=app)
        assert result.exit_code == code, result.output + repr(result.exception)
        return json.loads(result.stdout) if result.stdout else result.stderr

    return type_


def test_a_file_becomes_an_image_and_comes_back_as_it_was(shell, made, tmp_path):
    path = made(contents(), "qcow2")
    added = shell("image", "add", path, "--name", "debian", "--min-disk", "2")
    assert (added["name"], added["status"], added["disk_format"]) == ("debian", "active", "qcow2")
    assert shell("image", "show", added["id"]) == added
    assert [found["id"] for found in shell("image", "list")] == [added["id"]]
    shell("image", "save", added["id"], tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == path.read_bytes()
    shell("image", "delete", added["id"])
    assert shell("image", "list") == []


@pytest.mark.parametrize(("qemu_name", "shown"), [("raw", "raw"), ("vpc", "vhd"), ("vdi", "vdi")])
def test_the_format_is_what_the_file_shows(shell, made, qemu_name, shown):
    assert shell("image", "add", made(contents(), qemu_name))["disk_format"] == shown


def test_a_file_that_is_something_else_is_refused(shell, made):
    path = made(contents(), "qcow2")
    told = shell("image", "add", path, "--disk-format", "raw", code=errors.REFUSED)
    assert "contents are qcow2" in told


def test_a_file_that_refers_to_another_one_is_refused(shell, made, tmp_path):
    overlay = tmp_path / "overlay"
    qemu_img("create", "-f", "qcow2", "-b", made(contents(), "raw"), "-F", "raw", overlay)
    assert "backing file" in shell("image", "add", overlay, code=errors.REFUSED)
    assert shell("image", "list") == []


def test_an_image_that_is_not_there_is_said_to_be_absent(shell, tmp_path):
    for words in (("show", "x"), ("delete", "x"), ("save", "x", tmp_path / "new")):
        assert "could not be found" in shell("image", *words, code=errors.NOT_FOUND)
    assert not (tmp_path / "new").exists()


def test_no_file_is_overwritten(shell, made, tmp_path):
    added = shell("image", "add", made(contents(), "raw"))
    (tmp_path / "mine").write_text("precious")
    shell("image", "save", added["id"], tmp_path / "mine", code=errors.USAGE)
    assert (tmp_path / "mine").read_text() == "precious"
