# SPDX-License-Identifier: Apache-2.0
"""manila-lite demo: shares and snapshots in a fresh directory, with a SIGKILL in the middle.

Whatever the demonstration claims is read from the database and from the file system, not from what
the commands say of themselves.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from manila_lite.cmd.app import App, pass_app

if TYPE_CHECKING:
    from rich.console import Console

    from manila_lite.cmd.demo_site import Site

BATCH = 60
CREATE = "create_share_instance"


@click.command()
@click.option("--keep", is_flag=True, help="Keep the directory, to look at it afterwards.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where; must not exist yet. Without it, a temporary directory.",
)
@pass_app
def demo(app: App, keep: bool, directory: Path | None) -> None:
    """See it work, on this machine, in half a minute.

    In a fresh directory, with SQLite, no broker and no root: starts the daemon, makes shares and
    snapshots, kills the daemon with SIGKILL in the middle of a batch, starts it again, and shows
    that every operation came to its end.

    \b
    Examples:
      manila-lite demo
      manila-lite demo --keep --directory /tmp/try-it
    """
    from manila_lite.cmd.demo_site import Site

    place = _make(directory)
    site = Site(place)
    try:
        Show(app, site).run()
    finally:
        site.close()
        if not keep:
            shutil.rmtree(place, ignore_errors=True)
    _farewell(app, site, keep)


def _make(directory: Path | None) -> Path:
    from manila_lite.cmd.errors import Refused

    if directory is None:
        return Path(tempfile.mkdtemp(prefix="manila-lite-demo-"))
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        raise Refused(reason=f"{directory} cannot be made: {error.strerror}") from None
    return directory.resolve()


class Show:
    """The acts of the demonstration, one after the other."""

    def __init__(self, app: App, site: Site) -> None:
        self.app = app
        self.site = site
        self.killed_at: dict[str, int] = {}

    @property
    def console(self) -> Console:
        return self.app.output.console

    def run(self) -> None:
        """Play all acts. Raises DemoFailed at the first promise that is not kept."""
        began = self.app.clock.monotonic()
        self._set_up()
        self._first_shares()
        self._batch_and_kill()
        self._recover()
        self._verify()
        code = self.site.stop_daemon()
        self._claim(code == 0, f"SIGTERM: the daemon stopped with exit code {code}")
        seconds = self.app.clock.monotonic() - began
        if self.app.output.as_json:
            operations = self.site.operations()
            self.app.output.json(
                {
                    "ok": True,
                    "seconds": round(seconds, 1),
                    "operations": len(operations),
                    "at_the_kill": self.killed_at,
                    "directory": str(self.site.directory),
                }
            )
        self._say(f"\n[bold green]Everything came to its end[/], in {seconds:.0f} s.")

    def _set_up(self) -> None:
        self._title("A site in a directory: SQLite, no broker, no root")
        self.site.prepare()
        self._say(f"  [dim]{self.site.directory}[/]")
        self._command("db", "sync")
        pid = self.site.start_daemon()
        self.site.wait_until("the daemon is ready", self.site.daemon_is_ready)
        self._claim(True, f"the daemon serves demo@local, process {pid}")

    def _first_shares(self) -> None:
        self._title("Shares and snapshots")
        self._command("share", "create", "1", "--name", "music", "--wait")
        path = self.site.root / "shares" / self.site.directories()[0]
        (path / "song.txt").write_text("la la la\n")
        self._claim(True, f"somebody writes song.txt into {path.name[:14]}...")
        self._command("snapshot", "create", "music", "--name", "monday", "--wait")
        (path / "song.txt").unlink()
        self._claim(True, "somebody deletes song.txt by mistake")
        self._command("share", "create", "1", "--name", "rescue", "--snapshot", "monday", "--wait")
        others = [name for name in self.site.directories() if name != path.name]
        copy = self.site.root / "shares" / others[0] / "song.txt"
        self._claim(
            copy.is_file() and copy.read_text() == "la la la\n", "song.txt is in the new share"
        )

    def _batch_and_kill(self) -> None:
        self._title(f"{BATCH} shares at once, and kill -9 in the middle")
        before = len(self._created())
        batch = ("share", "create", "1", "--name", "batch", "--count", str(BATCH))
        self._typed(*batch)
        with self.site.begin(*batch) as client:
            self.site.wait_until(
                "a quarter of the batch is done", lambda: self._done() >= before + BATCH // 4
            )
            self.site.kill_daemon()
            output = client.communicate(timeout=30)[0]
            self._claim(client.returncode == 0, "every request is in the journal", output)
        rows = self._created()[: len(self._created()) - before]
        for row in rows:
            self.killed_at[row["state"]] = self.killed_at.get(row["state"], 0) + 1
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.killed_at.items()))
        self._claim(len(rows) == BATCH, f"SIGKILL, with {states}")
        unfinished = sum(1 for row in rows if not row["finished"])
        self._claim(unfinished > 0, f"{unfinished} operations wait for somebody to go on")

    def _recover(self) -> None:
        self._title("Another daemon goes on")
        pid = self.site.start_daemon()
        began = self.app.clock.monotonic()
        self.site.wait_until("all operations are over", self._all_over, patience=30.0)
        seconds = self.app.clock.monotonic() - began
        self._claim(True, f"process {pid} came to the end of all of them, {seconds:.1f} s later")

    def _verify(self) -> None:
        self._title("What the database and the file system say")
        rows, shares = self.site.operations(), self.site.shares()
        bad = [row for row in rows if row["state"] != "succeeded"]
        why = "\n".join(f"{row['method']} {row['state']}: {row['error']}" for row in bad)
        self._claim(not bad, f"{len(rows)} operations, all succeeded", why)
        right = all(share["status"] == "available" for share in shares)
        self._claim(len(shares) == BATCH + 2 and right, f"{len(shares)} shares, all available")
        wanted = sorted(f"share-{share['instance_id']}" for share in shares)
        self._claim(
            self.site.directories() == wanted, "one directory for each of them, and no other"
        )
        again = sum(1 for row in rows if row["dispatches"] > 1)
        self._say(f"  [dim]{again} operations were begun by one daemon and ended by the other[/]")
        self._command("op", "list", "--limit", "5", show=True)

    # -- what is looked at -----------------------------------------------------------------------

    def _created(self) -> list[dict[str, Any]]:
        return self.site.operations(CREATE)

    def _done(self) -> int:
        return sum(1 for row in self._created() if row["finished"])

    def _all_over(self) -> bool:
        return all(row["finished"] for row in self.site.operations())

    # -- what is shown ---------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        if not self.app.output.as_json:
            self.console.print(text)

    def _title(self, text: str) -> None:
        self._say(f"\n[bold]{text}[/]")

    def _typed(self, *words: str) -> None:
        self._say(f"  [cyan]$ manila-lite {' '.join(words)}[/]")

    def _command(self, *words: str, show: bool = False) -> None:
        self._typed(*words)
        ran = self.site.run(*words)
        if show and not self.app.output.as_json:
            self.console.print(ran.output, markup=False, end="", no_wrap=True, crop=True)

    def _claim(self, holds: bool, text: str, why: str = "") -> None:
        """Show what was found. Raises DemoFailed where it is not so."""
        from manila_lite.cmd.demo_site import DemoFailed

        if not holds:
            raise DemoFailed(reason=f"this does not hold: {text}. {why}".strip())
        self._say(f"  [green]✓[/] {text}")


def _farewell(app: App, site: Site, keep: bool) -> None:
    lines = ["", "Where to go from here:"]
    if keep:
        config = site.config_file
        lines += [
            f"  look around     manila-lite --config-file {config} op list",
            f"  start it again  manila-lite-share --config-file {config}",
            f"  its log         {site.log_file}",
        ]
    else:
        lines.append("  look around     manila-lite demo --keep")
    lines += [
        "  your own site   docs/quickstart.rst",
        "  every command   manila-lite --help",
    ]
    app.output.say("\n".join(lines))
