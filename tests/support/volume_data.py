# SPDX-License-Identifier: Apache-2.0
"""The data of a volume, written and read as a guest would: through its active image."""

import os
import subprocess

BLOCK = 64 * 1024


def _qemu_io(path, image_format, command, *options):
    done = subprocess.run(
        ["qemu-io", *options, "-f", image_format, "-c", command, path],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode == 0 and "failed" not in done.stdout + done.stderr, done


def connected(driver, volume):
    """(path, format) that a guest is told."""
    data = driver.initialize_connection(volume, {"host": "tests"})["data"]
    return os.path.join(driver._local_volume_dir(volume), data["name"]), data["format"]


def write(driver, volume, byte, block=0):
    """Fill a block of a detached volume with a byte."""
    path, image_format = connected(driver, volume)
    good, done = _qemu_io(path, image_format, f"write -P {byte} {block * BLOCK} {BLOCK}")
    assert good, done


def holds(driver, volume, byte, block=0):
    """Whether a block is full of a byte."""
    path, image_format = connected(driver, volume)
    return _qemu_io(path, image_format, f"read -P {byte} {block * BLOCK} {BLOCK}", "-r")[0]


def size_of(driver, volume):
    """Bytes that a guest sees."""
    path, image_format = connected(driver, volume)
    good, done = _qemu_io(path, image_format, "length", "-r")
    assert good, done
    number, unit = done.stdout.split()[:2]
    return round(float(number) * {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "bytes": 1}[unit])


def guest(path, image_format):
    """A process that has an image open for writing, as a guest does, until it is terminated."""
    process = subprocess.Popen(
        ["qemu-io", "-f", image_format, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    process.stdin.write("length\n")
    process.stdin.flush()
    assert process.stdout.readline().strip()
    return process
