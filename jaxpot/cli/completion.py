"""`jaxpot completion`: what makes a shell complete jaxpot's commands, options and runs."""

from __future__ import annotations

import click

from jaxpot.cli.output import emit


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of SHELL: bash, zsh or fish.

    \b
    Examples:
      eval "$(jaxpot completion bash)"                                  in ~/.bashrc
      eval "$(jaxpot completion zsh)"                                   in ~/.zshrc
      jaxpot completion fish > ~/.config/fish/completions/jaxpot.fish

    TAB then completes commands, options, files, and runs by uid, name, tag or `latest`. bash has
    to be 4.4 or newer.
    """
    from click.shell_completion import get_completion_class

    from jaxpot.cli.main import COMPLETE_VARIABLE, cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click completes nothing for {shell}")
    emit(kind(cli, {}, "jaxpot", COMPLETE_VARIABLE).source())
