"""The end of a run: its result, gates, times and next commands, as text or JSON."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from jaxpot import formatting as words
from jaxpot.cli import options
from jaxpot.cli.output import emit, json_text, note, table
from jaxpot.paths import expanded
from jaxpot.views.tables import gate_cells

if TYPE_CHECKING:
    from jaxpot.loop.observer import RunResult
    from jaxpot.loop.seeds import SeedsResult

_DONE = ("completed", "gate_missed")
_MIN_SHARE = 0.0005  # of the time; less is not shown
_NOT_SHOWN = ("iteration/", "timings/", "num_")


def conclude(result: RunResult, *, as_json: bool) -> None:
    """Print a result and exit with its status."""
    errors = [result.reason] if result.status == "failed" else []
    _end(result, result_record if as_json else report, errors, as_json=as_json)


def conclude_seeds(result: SeedsResult, *, as_json: bool) -> None:
    """Print the result of several seeds and exit with its status."""
    for warning in result.warnings:
        note(f"warning: {warning}")
    failed = (item for item in result.runs.items() if item[1].status == "failed")
    errors = [f"seed {seed}: {run.reason}" for seed, run in failed]
    _end(result, seeds_record if as_json else report_seeds, errors, as_json=as_json)


def _end(
    result: RunResult | SeedsResult,
    show: Callable[[Any], Any],
    errors: Iterable[str],
    *,
    as_json: bool,
) -> None:
    try:
        shown = show(result)
        emit(json_text(shown) if as_json else shown)
    finally:
        for error in errors:
            note(f"error: {error}")
        # Even if stdout fails, a run that failed or was interrupted keeps its exit status.
        if result.exit_code:
            click.get_current_context().exit(result.exit_code)


def result_record(result: RunResult) -> dict[str, Any]:
    """Return a result as `--json` prints it."""
    names = ("name", "status", "reason", "iterations", "attempt", "digest", "checkpoint")
    names += ("expect", "time", "metrics")
    return {"run": result.uid, **{name: getattr(result, name) for name in names}}


def seeds_record(result: SeedsResult) -> dict[str, Any]:
    """Return the result of several seeds as `--json` prints it."""
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


def report(result: RunResult) -> str:
    """Return a result as text."""
    attempt = f", attempt {result.attempt}" if result.attempt > 1 else ""
    iterations = words.plural(result.iterations, "iteration")
    head = (
        f"{result.name} {result.uid}: {result.status} after {iterations}{attempt}\n"
        f"reason      {result.reason}\n"
        f"checkpoint  {result.checkpoint or 'none'}\n"
        f"digest      {result.digest}"
    )
    # Printed for the user to run, never run here; a uid has no quotes.
    query = f"select iter, value from metric where uid = '{result.uid}' and key = 'total_loss'"  # noqa: S608
    more = f" --iterations {2 * result.iterations}" if result.status in _DONE else ""
    following = (f"show {result.uid}", f'sql "{query}"', f"resume {result.uid}{more}")
    return _joined(head, gates_table(result.expect), time_table(result.time), _next(following))


def report_seeds(result: SeedsResult) -> str:
    """Return the result of several seeds as text."""
    seeds = result.seeds
    asked = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
    runs = list(result.runs.values())
    following = [f"resume {run.uid}" for run in runs if run.status not in _DONE]
    if any(run.expect for run in runs):
        following.append(f"expect {runs[0].uid}")
    following.append(f"ls -n {len(runs)}")
    return _joined(
        f"{result.name}, {asked}: {result.status}\nreason  {result.reason}",
        _runs_table(result),
        _spreads_table(result),
        gates_table(result.expect),
        _next(following),
    )


def gates_table(expect: Sequence[Mapping[str, Any]]) -> str:
    """Return verdicts as a table; "" if there are none."""
    if not expect:
        return ""
    rows = [gate_cells(gate) for gate in expect]
    lines = [["gate", "at", "wanted", "of", "value", ""], *rows]
    if not any(row[3] for row in rows):
        lines = [[*line[:3], *line[4:]] for line in lines]
    return table(lines[0], lines[1:], right=(len(lines[0]) - 2,))


def time_table(seconds: Mapping[str, float]) -> str:
    """Return seconds by activity as a table with shares; "" if there are none."""
    total = sum(seconds.values())
    if not total > 0:
        return ""
    rows = [
        [name, words.span(part), f"{100 * part / total:.1f} %"]
        for name, part in seconds.items()
        if part / total >= _MIN_SHARE
    ]
    rows.append(["all", words.span(total), ""])
    return table(["where the time went", "", ""], rows, right=(1, 2))


def _runs_table(result: SeedsResult) -> str:
    judged = any(run.expect for run in result.runs.values())
    rows = []
    for seed, run in result.runs.items():
        row = [str(seed), run.uid, run.status, str(run.iterations), run.digest]
        own = [gate for gate in run.expect if gate["seeds"] == 1]
        passed = sum(gate["passed"] is True for gate in own)
        rows.append(row + ([f"{passed} of {len(own)}"] if judged else []))
    headers = ["seed", "run", "status", "iterations", "digest"]
    return table(headers + (["own gates passed"] if judged else []), rows, right=(0, 3))


def _spreads_table(result: SeedsResult) -> str:
    rows = []
    for key, spread in result.metrics.items():
        if not key.startswith(_NOT_SHOWN):
            error = spread.standard_error
            shown = "-" if error is None else words.number(error)
            rest = words.number(spread.min), words.number(spread.max)
            rows.append([key, words.number(spread.mean), shown, *rest])
    headers = ["metric", "mean", "standard error", "min", "max"]
    return table(headers, rows, right=(1, 2, 3, 4)) if rows else ""


def _next(commands: Iterable[str]) -> str:
    """Return commands to try next; they name the runs directory if it is not the default."""
    runs_dir = options.current_runs_dir()
    is_default = runs_dir == expanded(os.environ.get("JAXPOT_RUNS_DIR") or "runs")
    option = "" if is_default else f" --runs-dir {shlex.quote(str(runs_dir))}"
    return "\n".join(["next", *(f"  jaxpot {command}{option}" for command in commands)])


def _joined(*sections: str) -> str:
    return "\n\n".join(section for section in sections if section)
