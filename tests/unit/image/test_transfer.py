# SPDX-License-Identifier: Apache-2.0
"""Bytes on their way, and the proof that they are the right ones."""

import hashlib
import io

import pytest

from manila_lite import exception
from manila_lite.image import transfer

DATA = bytes(range(256)) * 1024


def verify(meta, data=DATA):
    verifier = transfer.Verifier("image", meta)
    target = io.BytesIO()
    transfer.copy(transfer.chunks_of(io.BytesIO(data)), target, verifier.update)
    assert target.getvalue() == data
    verifier.check()


def digests(data=DATA, algorithm="sha512"):
    return {"os_hash_algo": algorithm, "os_hash_value": hashlib.new(algorithm, data).hexdigest()}


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"size": len(DATA)},
        digests(),
        digests(algorithm="sha256"),
        {**digests(), "os_hash_value": digests()["os_hash_value"].upper()},
        {"checksum": hashlib.md5(DATA).hexdigest()},
        {**digests(), "checksum": "wrong, but weaker than the other"},
        {"os_hash_algo": "unheard-of", "os_hash_value": "x",
         "checksum": hashlib.md5(DATA).hexdigest()},
    ],
)  # fmt: skip
def test_the_bytes_of_the_metadata_are_accepted(meta):
    verify(meta)


@pytest.mark.parametrize(
    "meta",
    [
        {"size": len(DATA) - 1},
        {"size": len(DATA) + 1},
        {"size": 0},
        digests(DATA + b"x"),
        {"checksum": hashlib.md5(b"").hexdigest()},
        {"os_hash_algo": "unheard-of", "os_hash_value": "x", "checksum": "y"},
    ],
)
def test_other_bytes_are_refused(meta):
    with pytest.raises(exception.ImageDownloadFailed) as caught:
        verify(meta)
    assert exception.classify(caught.value) is exception.ErrorKind.FINAL


def test_each_watcher_sees_every_byte():
    seen = [io.BytesIO(), io.BytesIO()]
    chunks = [b"one", bytes(10), b"two"]
    size = transfer.copy(chunks, io.BytesIO(), *(file.write for file in seen))
    assert size == 16
    assert [file.getvalue() for file in seen] == [b"".join(chunks)] * 2


def test_a_target_without_holes_gets_the_zeros():
    target = io.BytesIO()
    transfer.copy([b"a", bytes(transfer.CHUNK), b"b"], target)
    assert target.getvalue() == b"a" + bytes(transfer.CHUNK) + b"b"
