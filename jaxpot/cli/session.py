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

if TYPE_CHECKING:
    from jaxpot.loop.observer import Observers, RunResult

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


@contextmanager
def display(*, plain: bool, quiet: bool) -> Iterator[Observers]:
    """Opens the display that suits stderr, and gives the terminal back whatever happens."""
    from jaxpot.loop.observer import Observers
    from jaxpot.sinks.plain import Plain

    terminal = sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", None)
    if plain or quiet or not terminal:
        observers = Observers(Plain(only_warnings=quiet))
        yield observers
    else:
        from jaxpot.sinks.dashboard import Dashboard

        with Dashboard() as dashboard:
            observers = Observers(dashboard)
            yield observers
    for observer, error in observers.failures:
        note(f"warning: the display ({type(observer).__name__}) failed on the way: {error!r}")


def conclude(ctx: click.Context, result: RunResult, *, as_json: bool) -> None:
    """Prints a result and ends the command with the result's exit status."""
    if as_json:
        emit(json_text(result_record(result)))
    else:
        from jaxpot.cli.report import report

        emit(report(result, runs_dir_words(ctx)))
    if result.status == "failed":
        note(f"error: {result.reason}")
    ctx.exit(result.exit_code)


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
    return "" if runs_dir == Path(usual) else f" --runs-dir {shlex.quote(str(runs_dir))}"
