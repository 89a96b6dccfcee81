# SPDX-License-Identifier: Apache-2.0
"""Files of conversions: removed when they are done with, or when their process has died."""

import os
import shutil
import signal
import stat

import pytest

from manila_lite import exception
from manila_lite.image import temporary


def work_and_die(directory, moment):
    """Have another process make a temporary file and die by SIGKILL while it has it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with temporary.temporary_file(prefix="x", directory=str(directory)):
                os.write(writer, b"1")
                if moment == "dead":
                    os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()
        finally:
            os._exit(1)
    os.close(writer)
    assert os.read(reader, 1) == b"1"
    os.close(reader)
    if moment == "dead":
        os.waitpid(child, 0)
    return child


def found(directory):
    return [path for path in directory.rglob("x*") if path.is_file()]


def test_a_temporary_file_is_private_and_gone_at_the_end(tmp_path):
    with temporary.temporary_file(".img", "volume-", str(tmp_path / "new")) as path:
        assert os.path.basename(path).startswith("volume-")
        assert path.endswith(".img")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert os.path.getsize(path) == 0
    assert not os.path.exists(path)


def test_a_temporary_file_is_gone_after_an_error_too(tmp_path):
    with pytest.raises(KeyError), temporary.temporary_file(directory=str(tmp_path)) as path:
        raise KeyError
    assert not os.path.exists(path)


def test_it_is_no_error_that_somebody_has_moved_it_away(tmp_path):
    with temporary.temporary_file(directory=str(tmp_path)) as path:
        os.rename(path, tmp_path / "kept")
    assert (tmp_path / "kept").exists()


def test_a_directory_that_is_cleared_away_again_and_again_costs_no_descriptors(tmp_path):
    def use_and_clear():
        with temporary.temporary_file(directory=str(tmp_path / "conversions")):
            pass
        shutil.rmtree(tmp_path / "conversions")
        return len(os.listdir("/proc/self/fd"))

    first = use_and_clear()
    assert [use_and_clear() for _ in range(3)] == [first] * 3


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/b", "a\0b"])
def test_names_cannot_lead_out_of_the_directory(tmp_path, name):
    with pytest.raises(exception.PathRefused), temporary.temporary_file(prefix=name):
        pass
    with pytest.raises(exception.PathRefused), temporary.temporary_file(suffix=name):
        pass


def test_what_a_dead_process_left_is_removed(tmp_path):
    work_and_die(tmp_path, "dead")
    assert len(found(tmp_path)) == 1
    assert len(temporary.remove_abandoned(str(tmp_path))) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_a_living_process_uses_stays(tmp_path):
    child = work_and_die(tmp_path, "alive")
    try:
        assert temporary.remove_abandoned(str(tmp_path)) == []
        assert len(found(tmp_path)) == 1
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert len(temporary.remove_abandoned(str(tmp_path))) == 1


def test_our_own_files_stay(tmp_path):
    with temporary.temporary_file(prefix="x", directory=str(tmp_path)) as path:
        assert temporary.remove_abandoned(str(tmp_path)) == []
        assert os.path.exists(path)


def test_files_of_others_in_the_directory_stay(tmp_path):
    (tmp_path / "conversion-notes.txt").write_text("of a person")
    (tmp_path / "photos").mkdir()
    (tmp_path / "conversion-link").symlink_to(tmp_path / "photos")
    assert temporary.remove_abandoned(str(tmp_path)) == []
    assert len(list(tmp_path.iterdir())) == 3


def test_a_directory_that_is_not_there_needs_no_clearing(tmp_path):
    assert temporary.remove_abandoned(str(tmp_path / "absent")) == []


def test_a_lack_of_space_is_told_with_both_numbers(tmp_path):
    temporary.check_space(str(tmp_path / "file"), 1, "image")
    with pytest.raises(exception.ImageTooBig, match=f"{1 << 60} are needed"):
        temporary.check_space(str(tmp_path), 1 << 60, "image")
