"""What a shell's TAB offers where a run is named: uids, names and tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from jaxpot.paths import expanded

_MOST = 200


class RunWord(click.ParamType):
    """A word for a run, which the store judges; TAB offers those that there are."""

    name = "run"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Gives the uids, names and tags that begin with what is there, newest runs first."""
        return list(starting(incomplete, _words(_runs_dir(ctx))))


class RunOrSpec(RunWord):
    """A word for a run, or the path of a spec."""

    name = "run or spec"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Gives runs and, by the shell, files."""
        runs = super().shell_complete(ctx, param, incomplete)
        return [*runs, CompletionItem(incomplete, type="file")]


RUN = RunWord()
RUN_OR_SPEC = RunOrSpec()


def starting(incomplete: str, words: Iterable[tuple[str, str | None]]) -> Iterator[CompletionItem]:
    """Gives the words, with their explanations, that begin with what is there, each once."""
    seen: set[str] = set()
    for word, explanation in words:
        if word.startswith(incomplete) and word not in seen:
            seen.add(word)
            yield CompletionItem(word, help=explanation)
            if len(seen) >= _MOST:
                return


def _words(runs_dir: Path) -> Iterator[tuple[str, str | None]]:
    """Yields words for runs from the journals alone: the database may be anybody's now."""
    from jaxpot.journal import read_header
    from jaxpot.store.runs import journals

    yield "latest", "the newest run"
    newest = sorted(journals(runs_dir), key=lambda file: file.uid, reverse=True)
    for file in newest:
        header = read_header(file.path)
        name = file.uid if header is None or header.name is None else header.name
        yield name, "the newest run of this name"
        yield file.uid, name
        for tag in (header.tags if header is not None else None) or ():
            yield tag, "the newest run with this tag"


def _runs_dir(ctx: click.Context) -> Path:
    """Gives the runs folder of the words typed so far: an option of the command or the group."""
    chosen = (ctx.obj or {}).get("runs_dir") or ctx.find_root().params.get("runs_dir")
    return expanded(chosen or "runs")
