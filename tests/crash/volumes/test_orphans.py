# SPDX-License-Identifier: Apache-2.0
"""A command that the daemon had started outlives it, and goes on while the next daemon works.

No process group and no terminal tells it that its daemon is gone: a copy of many GiB may go on for
an hour. What the next daemon does meanwhile must not mix with it.
"""

import os
import shutil

import pytest

from tests.crash.volumes import casts
from tests.fixtures.daemon import happens, poll

# Runs the real qemu-img; the first one of the held subcommand stops when it is in the middle.
WRAPPER = """#!/bin/sh
if [ -e {hold} ] && [ "$1" = "$(cat {hold})" ] && mv {hold} {held} 2>/dev/null; then
    {real} "$@" & child=$!
    sleep 0.03
    kill -STOP $child
    echo $child > {held}.pid
    while [ ! -e {released} ]; do sleep 0.05; done
    kill -CONT $child
    wait $child
    code=$?
    touch {ended}
    exit $code
fi
exec {real} "$@"
"""
MANY = 256  # MiB that are copied: no machine is done with them within a blink


@pytest.fixture
def site(volume_sites, urls):
    return volume_sites(urls("sqlite"))


@pytest.fixture
def held(site, tmp_path):
    """Paths by which a test holds and releases a qemu-img; the daemon finds the wrapper first."""
    directory = tmp_path / "bin"
    directory.mkdir()
    paths = {name: tmp_path / name for name in ("hold", "held", "released", "ended")}
    script = directory / "qemu-img"
    script.write_text(WRAPPER.format(real=shutil.which("qemu-img"), **paths))
    script.chmod(0o755)
    paths["path"] = f"{directory}:{os.environ['PATH']}"
    yield paths
    paths["released"].touch()


@pytest.mark.parametrize(
    ("cast", "subcommand"),
    [
        (casts.clone, "convert"),
        (casts.from_snapshot, "convert"),
        (casts.from_image, "convert"),
        (casts.upload, "convert"),
        (casts.delete_newest_snapshot, "commit"),
        (casts.delete_oldest_snapshot, "commit"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_command_that_goes_on_after_its_daemon_has_died_does_no_harm(
    site, held, cast, subcommand
):
    site.bulk = MANY
    site.start(PATH=held["path"])
    site.daemon.wait_ready()
    ask = cast(site)
    held["hold"].write_text(subcommand)
    uuid = ask()
    poll(lambda: held["held"].with_suffix(".pid").exists(), "a qemu-img in the middle")
    site.daemon.kill()
    site.start(PATH=held["path"])
    site.daemon.wait_ready()
    # Whether the next daemon waits for it or needs not to: it has had the time to do wrong.
    happens(site.settled, 3)
    held["released"].touch()
    poll(held["ended"].exists, "the end of the old qemu-img")
    site.wait_settled()
    site.check()
    operation = site.daemon.operation(uuid)
    assert operation["state"] == "succeeded", operation["error"]
