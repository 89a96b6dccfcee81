# SPDX-License-Identifier: Apache-2.0
"""qcow2 headers, from whatever bytes a file begins with."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manila_lite.volume.qcow2 import header
from manila_lite.volume.qcow2.header import HeaderDamaged
from tests.functional.volume.hostile.crafted import qcow2


def test_what_an_overlay_says_is_read():
    found = header.parse(qcow2("volume-1", backing_format="raw"))
    assert found is not None
    assert (found.backing_file, found.backing_format) == ("volume-1", "raw")
    assert (found.virtual_size, found.version, found.encrypted) == (1 << 30, 3, False)
    assert (found.has_external_data, found.unknown_features) == (False, 0)
    assert (found.table_offset, found.table_entries) == (3 << 16, 16)


def test_an_image_without_a_backing_file_names_none():
    found = header.parse(qcow2())
    assert found is not None
    assert (found.backing_file, found.backing_format, found.data_file) == (None, None, None)


def test_version_2_has_no_features():
    data = bytearray(qcow2())
    data[4:8] = struct.pack(">I", 2)
    found = header.parse(bytes(data))
    assert found is not None
    assert found.features == 0


@pytest.mark.parametrize("features", [1 << 5, 1 << 63, 0b100000])
def test_features_that_nobody_knows_are_told(features):
    found = header.parse(qcow2(features=features))
    assert found is not None
    assert found.unknown_features == features


@pytest.mark.parametrize("data", [b"", b"QFI", b"\0" * 512, b"KDMV" + bytes(508)])
def test_what_does_not_begin_as_qcow2_is_none(data):
    assert header.parse(data) is None


@pytest.mark.parametrize("length", range(4, 104, 9))
def test_half_a_header_is_damaged(length):
    with pytest.raises(HeaderDamaged):
        header.parse(qcow2("volume-1")[:length])


def test_an_extension_that_is_longer_than_the_header_is_damage():
    data = bytearray(qcow2("volume-1"))
    data[108:112] = struct.pack(">I", 1 << 31)
    with pytest.raises(HeaderDamaged, match="longer"):
        header.parse(bytes(data))


@given(st.binary(max_size=400))
def test_no_bytes_whatever_make_more_than_damage(rest):
    try:
        found = header.parse(header.MAGIC + b"\0\0\0\x03" + rest)
    except HeaderDamaged:
        return
    assert found is not None
    assert found.version == 3


@given(st.integers(0, 199), st.binary(min_size=1, max_size=16))
def test_no_change_of_a_header_makes_more_than_damage(place, bytes_there):
    data = bytearray(qcow2("volume-1"))
    data[place : place + len(bytes_there)] = bytes_there
    try:
        found = header.parse(bytes(data))
    except HeaderDamaged:
        return
    assert found is None or isinstance(found.virtual_size, int)
