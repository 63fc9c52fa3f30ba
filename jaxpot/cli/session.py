"""What `run` and `resume` share: a display while it goes, a result when it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jaxpot.cli.options import json_option
from jaxpot.cli.output import emit, json_text, note
from jaxpot.paths import expanded

if TYPE_CHECKING:
    from jaxpot.loop.observer import Observers, RunResult
    from jaxpot.loop.seeds import SeedsResult, Watch

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def display_options(command: Decorated) -> Decorated:
    """Adds `--json`, `--plain` and `--quiet`."""
    options = (
        json_option("End with one JSON object on stdout, as its last line."),
        click.option("--plain", is_flag=True, help="Plain lines, also on a terminal."),
        click.option("--quiet", is_flag=True, help="No progress; warnings and the result only."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def terminal() -> bool:
    """Says whether stderr is a terminal that can draw in place."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", None)


@contextmanager
def display(*, plain: bool, quiet: bool) -> Iterator[Observers]:
    """Opens the display that suits stderr, and gives the terminal back whatever happens."""
    from jaxpot.loop.observer import Observers
    from jaxpot.views.plain import Plain

    if plain or quiet or not terminal():
        observers = Observers(Plain(only_warnings=quiet))
        yield observers
    else:
        from jaxpot.views.dashboard import Dashboard

        with Dashboard() as dashboard:
            observers = Observers(dashboard)
            yield observers
    for observer, error in observers.failures:
        note(f"warning: the display ({type(observer).__name__}) failed on the way: {error!r}")


def watching(first: int, count: int, *, plain: bool, quiet: bool) -> Watch:
    """Gives each of `count` runs a display of its own, under a line that says which it is."""

    @contextmanager
    def watch(seed: int) -> Iterator[Observers]:
        if not quiet:
            note(f"seed {seed}: run {seed - first + 1} of {count}")
        with display(plain=plain, quiet=quiet) as observers:
            yield observers

    return watch


def conclude(ctx: click.Context, result: RunResult, *, as_json: bool) -> None:
    """Prints a result and ends the command with the result's exit status."""
    try:
        if as_json:
            emit(json_text(result_record(result)))
        else:
            from jaxpot.cli.result import report

            emit(report(result, runs_dir_words(ctx)))
    finally:
        if result.status == "failed":
            note(f"error: {result.reason}")
        # A run that failed or was interrupted says so also where stdout takes nothing.
        if result.exit_code:
            ctx.exit(result.exit_code)


def conclude_seeds(ctx: click.Context, result: SeedsResult, *, as_json: bool) -> None:
    """Prints what runs under several seeds came to, and ends the command with its exit status."""
    for warning in result.warnings:
        note(f"warning: {warning}")
    try:
        if as_json:
            emit(json_text(seeds_record(result)))
        else:
            from jaxpot.cli.result import report_seeds

            emit(report_seeds(result, runs_dir_words(ctx)))
    finally:
        for seed, run in result.runs.items():
            if run.status == "failed":
                note(f"error: seed {seed}: {run.reason}")
        if result.exit_code:
            ctx.exit(result.exit_code)


def seeds_record(result: SeedsResult) -> dict[str, Any]:
    """Returns what runs under several seeds came to as `--json` prints it."""
    import attrs

    return {
        "name": result.name,
        "status": result.status,
        "reason": result.reason,
        "seeds": list(result.seeds),
        "expect": result.expect,
        "metrics": {key: attrs.asdict(spread) for key, spread in result.metrics.items()},
        "runs": [{"seed": seed, **result_record(run)} for seed, run in result.runs.items()],
    }


def result_record(result: RunResult) -> dict[str, Any]:
    """Returns a result as `--json` prints it."""
    return {
        "run": result.uid,
        "name": result.name,
        "status": result.status,
        "reason": result.reason,
        "iterations": result.iterations,
        "attempt": result.attempt,
        "digest": result.digest,
        "checkpoint": result.checkpoint,
        "expect": result.expect,
        "time": result.time,
        "metrics": result.metrics,
    }


def runs_dir_words(ctx: click.Context) -> str:
    """Returns the option that makes another command read this runs directory, "" if none."""
    import shlex

    runs_dir: Path = ctx.obj["runs_dir"]
    usual = os.environ.get("JAXPOT_RUNS_DIR") or "runs"
    return "" if runs_dir == expanded(usual) else f" --runs-dir {shlex.quote(str(runs_dir))}"
