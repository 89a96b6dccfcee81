# SPDX-License-Identifier: Apache-2.0
import click


@click.command()
def demo() -> None:
    """x"""
