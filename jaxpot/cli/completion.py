"""`jaxpot completion`, and the runs that TAB offers as arguments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

from jaxpot.cli.output import emit
from jaxpot.paths import expanded

COMPLETE_VARIABLE = "_JAXPOT_COMPLETE"
"""The environment variable by which a shell asks for completions."""

_MOST = 200


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the completion script of SHELL: bash, zsh or fish.

    \b
    Examples:
      eval "$(jaxpot completion bash)"                                  in ~/.bashrc
      eval "$(jaxpot completion zsh)"                                   in ~/.zshrc
      jaxpot completion fish > ~/.config/fish/completions/jaxpot.fish

    TAB then completes commands, options, files, and runs by uid, name, tag or `latest`. bash must
    be version 4.4 or newer.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click has no completion for {shell}")
    jaxpot = click.get_current_context().find_root().command
    emit(kind(jaxpot, {}, "jaxpot", COMPLETE_VARIABLE).source())


class RunWord(click.ParamType):
    """A word that names a run. The store looks it up; TAB offers the runs that exist."""

    name = "run"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the uids, names and tags that start with `incomplete`, newest runs first."""
        runs_dir = (ctx.obj or {}).get("runs_dir") or ctx.find_root().params.get("runs_dir")
        found: dict[str, CompletionItem] = {}
        for word, explanation in _words(expanded(runs_dir or "runs")):
            if word.startswith(incomplete):
                found.setdefault(word, CompletionItem(word, help=explanation))
                if len(found) >= _MOST:
                    break
        return list(found.values())


class RunOrSpec(RunWord):
    """A word that names a run, or the path of a spec."""

    name = "run or spec"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return runs, and ask the shell for files."""
        runs = super().shell_complete(ctx, param, incomplete)
        return [*runs, CompletionItem(incomplete, type="file")]


RUN = RunWord()
RUN_OR_SPEC = RunOrSpec()


def _words(runs_dir: Path) -> Iterator[tuple[str, str]]:
    """Yield words for runs, each explained. Read journals: the database may be held elsewhere."""
    from jaxpot.journal import read_header
    from jaxpot.store.runs import journals

    yield "latest", "the newest run"
    for file in sorted(journals(runs_dir), key=lambda file: file.uid, reverse=True):
        header = read_header(file.path)
        name = file.uid if header is None or header.name is None else header.name
        yield name, "the newest run with this name"
        yield file.uid, name
        for tag in (header.tags if header is not None else None) or ():
            yield tag, "the newest run with this tag"
