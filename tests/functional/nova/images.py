# SPDX-License-Identifier: Apache-2.0
"""Images as qemu-img sees them, also while a guest holds them: the tests' own look at a chain.

Nothing here is shared with the code under test.
"""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.functional.nova import pictures

_PATIENCE = 60


@dataclass(frozen=True)
class Image:
    """One file of a chain; backing names are as they stand in the header."""

    path: Path
    format: str
    backing: str | None
    backing_format: str | None


def qemu_img(*arguments: object) -> str:
    """Run qemu-img; return what it wrote to standard output."""
    done = subprocess.run(
        ["qemu-img", *map(str, arguments)],
        capture_output=True, text=True, timeout=_PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"qemu-img {arguments}: {done.stderr}"
    return done.stdout


def image(path: Path, image_format: str) -> Image:
    found = json.loads(qemu_img("info", "-U", "--output=json", "-f", image_format, path))
    return Image(
        path, image_format, found.get("backing-filename"), found.get("backing-filename-format")
    )


def chain(active: Path, image_format: str) -> list[Image]:
    """The images from the active one down to the base."""
    found = [image(active, image_format)]
    while (last := found[-1]).backing is not None:
        assert "/" not in last.backing, f"{last.path.name} is not backed by a relative name"
        assert last.backing_format, f"{last.path.name} does not say what its backing file is"
        found.append(image(active.parent / last.backing, last.backing_format))
        assert len(found) < 100, "the chain is a loop"
    return found


def differences(picture: pictures.Picture, path: Path, image_format: str) -> list[int]:
    """Numbers of the blocks in which an image, with all that is under it, shows something else."""
    with tempfile.TemporaryDirectory(prefix="manila-lite-image-") as directory:
        raw = Path(directory, "raw")
        qemu_img("convert", "-U", "-f", image_format, "-O", "raw", path, raw)
        return pictures.differences(picture, raw)
