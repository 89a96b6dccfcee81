# SPDX-License-Identifier: Apache-2.0
"""manila-lite: the command line. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

from typing import Any

import click

from manila_lite.cmd import (
    access_commands,
    backup_commands,
    completion,
    database,
    dead_letters,
    demo,
    errors,
    group_commands,
    image_commands,
    migration_commands,
    network_commands,
    operations,
    server_commands,
    services,
    share_commands,
    snapshot_commands,
    volume_commands,
)
from manila_lite.cmd.app import App
from manila_lite.cmd.options import Group

_EXIT_CODES = "\n".join(f"  {code}  {meaning}" for code, meaning in errors.MEANINGS.items())


class Root(Group):
    """Turns errors that people can do something about into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            code, app = errors.exit_code(error), ctx.obj
            if code == errors.BUG and isinstance(app, App) and app.verbose:
                raise
            as_json = isinstance(app, App) and app.output.as_json
            raise errors.Failure(errors.message(error), code, as_json) from error
        finally:
            if isinstance(ctx.obj, App):
                ctx.obj.close()


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"\b\nExit codes:\n{_EXIT_CODES}",
)
@click.option(
    "--config-file",
    "config_files",
    multiple=True,
    metavar="FILE",
    envvar="MANILA_LITE_CONFIG_FILE",
    help="Configuration, a manila.conf or the like; may be repeated. Without it, manila-lite.conf "
    "or manila.conf is looked for in ~/.manila-lite, here, /etc/manila_lite and /etc/manila.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
@click.option("--verbose", "-v", is_flag=True, help="Write a log to standard error.")
@click.version_option(package_name="manila-lite", message="manila-lite %(version)s")
@click.pass_context
def main(ctx: click.Context, config_files: tuple[str, ...], as_json: bool, verbose: bool) -> None:
    """Shares and volumes on your storage, their snapshots, and the operations that make them.

    With a transport_url in the configuration, requests are cast to RabbitMQ in Manila's and
    Cinder's own format; without one they are written to the journal, where the daemons
    (manila-lite-share, manila-lite-volume) pick them up.

    \b
    Examples:
      manila-lite demo
      manila-lite db sync
      manila-lite share create --name music --wait 10
      manila-lite snapshot create music --name monday --wait
      manila-lite volume create --size 10 --name disk --wait
      manila-lite volume snapshot create disk --name monday --wait
      manila-lite --json share list
      manila-lite op list --state failed
    """
    # Tests, and programs that embed the commands, bring an App of their own.
    if not isinstance(ctx.obj, App):
        ctx.obj = App(config_files, verbose=verbose)
    ctx.obj.output.as_json = as_json


share_commands.share.add_command(access_commands.share_access)
share_commands.share.add_command(backup_commands.share_backup)
share_commands.share.add_command(migration_commands.migrate)
share_commands.share.add_command(migration_commands.migration)
snapshot_commands.snapshot.add_command(access_commands.snapshot_access)

for command in (
    database.db,
    services.service,
    services.pool,
    share_commands.share,
    snapshot_commands.snapshot,
    group_commands.share_group,
    server_commands.share_server,
    network_commands.share_network,
    network_commands.security_service,
    volume_commands.volume,
    image_commands.image,
    operations.op,
    dead_letters.dead_letter,
    completion.completion,
    demo.demo,
):
    main.add_command(command)


if __name__ == "__main__":
    main(prog_name="manila-lite")
