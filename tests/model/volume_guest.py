# SPDX-License-Identifier: Apache-2.0
"""Writing to images as a guest does: one qemu-io process for many writes to many images."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Self

import pytest

from tests.model.volume_contents import TAG, UNIT, Contents

_PROMPT: Final = b"qemu-io> "
#: Seconds that an answer may take on a busy machine.
_PATIENCE: Final = 60.0


@dataclasses.dataclass(frozen=True)
class Write:
    """A write of a guest: a tag all over some units, or zeros where there is none."""

    first: int
    count: int
    tag: bytes | None

    def on(self, contents: Contents) -> Contents:
        """What the disk shows afterwards."""
        if self.tag is None:
            return contents.zeroed(self.first, self.count)
        return contents.written(self.first, self.count, self.tag)


class Guest:
    """A qemu-io process; it holds an image only during write()."""

    def __init__(self, directory: Path) -> None:
        if shutil.which("qemu-io") is None:
            pytest.skip("qemu-io is not installed")
        self._pattern = directory / "pattern"
        self._process = subprocess.Popen(
            ["qemu-io"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.communicate()

    def write(self, path: Path, image_format: str, writes: Iterable[Write]) -> None:
        """Write to the image and all that is behind it, and flush."""
        with self._opened(path, image_format):
            for write in writes:
                self._write(write)

    def write_bytes(self, path: Path, image_format: str, data: bytes) -> None:
        """Write a unit of the caller's own to the beginning of the disk."""
        with self._opened(path, image_format):
            self._pattern.write_bytes(data)
            self._expect(f"write -s {self._pattern} 0 {len(data)}", f"wrote {len(data)}/")

    @contextlib.contextmanager
    def _opened(self, path: Path, image_format: str) -> Iterator[None]:
        self._expect(f"open -o driver={image_format},discard=unmap {path}", "")
        try:
            yield
        finally:
            self._ask("flush")
            self._ask("close")

    def _write(self, write: Write) -> None:
        length = write.count * UNIT
        if write.tag is None:
            command = f"write -z -u {write.first * UNIT} {length}"
        else:
            assert len(write.tag) == TAG
            self._pattern.write_bytes(write.tag * (UNIT // TAG))
            command = f"write -s {self._pattern} {write.first * UNIT} {length}"
        self._expect(command, f"wrote {length}/{length} bytes")

    def _expect(self, command: str, start: str) -> None:
        answer = self._ask(command)
        assert answer.startswith(start) and (start or not answer), f"{command}: {answer}"

    def _ask(self, command: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        descriptor, answer = self._process.stdout.fileno(), b""
        while not answer.endswith(_PROMPT):
            ready, _, _ = select.select([descriptor], [], [], _PATIENCE)
            data = os.read(descriptor, 65536) if ready else b""
            assert data, f"qemu-io ended or is silent: {answer!r}"
            answer += data
        return answer[: -len(_PROMPT)].decode(errors="replace").strip()
