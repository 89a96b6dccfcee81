# SPDX-License-Identifier: Apache-2.0
"""What is on disk for nfs-ganesha: files, index, ids; and after a kill between any two of them."""

import concurrent.futures

import pytest

from manila_lite import exception
from manila_lite.share.drivers.exports.ganesha_files import Export, ExportFiles


@pytest.fixture
def files(tmp_path) -> ExportFiles:
    return ExportFiles(str(tmp_path), "No_Root_Squash")


def export(name="share-1", number=101, **values) -> Export:
    values = {"source": f"/data/{name}", "path": f"/data/{name}", **values}
    return Export(name, number, **values)


def index(tmp_path) -> str:
    return (tmp_path / "INDEX.conf").read_text()


def none_taken(number: int) -> bool:
    return False


def test_an_export_is_read_as_it_was_written(files, tmp_path):
    written = export(clients=(("10.0.0.1", "RW"), ("::/1", "RO")))
    path = files.write(written)
    assert files.read("share-1") == written
    assert files.all() == [written]
    assert index(tmp_path) == f'%include "{path}"\n'


def test_an_index_that_a_kill_kept_from_being_written_is_made_up_for(files, tmp_path):
    files.write(export())
    (tmp_path / "INDEX.conf").unlink()
    files.write(export())
    assert "share-1.conf" in index(tmp_path)
    (tmp_path / "share-1.conf").unlink()
    assert files.write_index() == []
    assert index(tmp_path) == "", "Ganesha does not start with an include that is missing"


def test_mounted_exports_are_not_in_the_index(files, tmp_path):
    files.write(export())
    files.write(export(path="/mounts/share-1"))
    assert index(tmp_path) == ""
    assert files.read("share-1").is_mounted


def test_removing_forgets_file_and_index(files, tmp_path):
    files.write(export())
    files.write(export("share-2", 102))
    files.remove("share-1")
    files.remove("share-1")
    assert files.read("share-1") is None
    assert [found.name for found in files.all()] == ["share-2"]
    assert "share-1.conf" not in index(tmp_path)


def test_ids_do_not_come_back_at_once(files):
    first = files.new_id(none_taken)
    second = files.new_id(none_taken)
    assert (first, second) == (101, 102)
    assert ExportFiles(files.directory, "None").new_id(none_taken) == 103


def test_ids_that_ganesha_knows_are_left_out(files):
    assert files.new_id(lambda number: number < 110) == 110


def test_ids_come_back_when_all_were_used(files, tmp_path):
    files.write(export())
    (tmp_path / ".counter").write_text(f"{65535 - 101 + 1}\n")
    assert files.new_id(none_taken) == 102, "101 is in use"
    with pytest.raises(exception.ShareBackendFull):
        files.new_id(lambda number: True)


def test_ids_differ_between_threads(files):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: files.new_id(none_taken), range(50)))
    assert sorted(ids) == list(range(101, 151))


def test_exports_of_several_threads_are_all_in_the_index(files, tmp_path):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: files.write(export(f"share-{n}", n)), range(200, 230)))
    assert len(index(tmp_path).splitlines()) == 30


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".x", "x\n", "INDEX", "x" * 201])
def test_names_that_are_no_file_names_are_refused(files, name):
    with pytest.raises(exception.PathRefused):
        files.write(export(name))


@pytest.mark.parametrize("text", ["EXPORT { }", "# manila_lite: {}", "# manila_lite: []", ""])
def test_files_of_others_are_not_touched(files, tmp_path, text):
    (tmp_path / "share-1.conf").write_text(text)
    with pytest.raises(exception.ShareBackendException, match="was not written by this service"):
        files.read("share-1")
    files.write(export("share-2", 102))
    assert [found.name for found in files.all()] == ["share-2"]
