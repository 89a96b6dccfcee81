# SPDX-License-Identifier: Apache-2.0
"""manila-lite completion: words after the Tab key."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that teaches SHELL to complete commands and options.

    \b
    Examples:
      manila-lite completion bash > /etc/bash_completion.d/manila-lite
      manila-lite completion zsh > "${fpath[1]}/_manila-lite"
      manila-lite completion fish > ~/.config/fish/completions/manila-lite.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(ctx.find_root().command, {}, "manila-lite", "_MANILA_LITE_COMPLETE")
    click.echo(script.source())
