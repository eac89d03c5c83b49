"""`mitmcache env`: what `exec` tells a program, for a shell."""

import os
from collections.abc import Sequence

import click

from mitmcache.cli import shells
from mitmcache.cli.places import places
from mitmcache.cli.session import session
from mitmcache.cli.shells import Shell
from mitmcache.cli.where import Failed


@click.command("env")
@click.option("--shell", type=click.Choice([shell.value for shell in Shell]), help="Default: that of $SHELL.")
@places
def env(confdir: str | None, said: Sequence[str], shell: str | None) -> None:
    """Print what programs need to use the running proxy, for a shell: `eval "$(mitmcache env)"`.

    fish: `mitmcache env | source`. PowerShell: `mitmcache env --shell powershell | Out-String | iex`.
    """
    at = session(confdir, said)
    found = at.running()
    if found is None:
        raise Failed("no proxy is running: start one, or use `mitmcache exec`, which starts its own")
    told = at.told(found, found.ca.parent)
    kind = Shell(shell) if shell else shells.guess(os.environ.get("SHELL", ""))
    click.echo("\n".join(shells.commands(kind, told)))
