"""What a run's end prints: the result, its gates, where the time went, what to try next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxpot import formatting as words
from jaxpot.cli.output import table
from jaxpot.views.cells import gate_cells

if TYPE_CHECKING:
    from jaxpot.loop.observer import RunResult
    from jaxpot.loop.seeds import SeedsResult

_DONE = ("completed", "gate_missed")
_SHARE_SHOWN = 0.0005
_NOT_SHOWN = ("iteration/", "timings/", "num_")


def report(result: RunResult, runs_dir_option: str = "") -> str:
    """Writes a result for people.

    Args:
        result: How the attempt ended.
        runs_dir_option: ` --runs-dir DIR`, for the commands to try next, where they need it.
    """
    sections = [
        _result(result),
        gates_table(result.expect),
        _time(result.time),
        _next(result, runs_dir_option),
    ]
    return "\n\n".join(section for section in sections if section)


def report_seeds(result: SeedsResult, runs_dir_option: str = "") -> str:
    """Writes for people what runs under several seeds came to; arguments as of `report`."""
    asked = f"seeds {result.seeds[0]} to {result.seeds[-1]}"
    if len(result.seeds) == 1:
        asked = f"seed {result.seeds[0]}"
    sections = [
        f"{result.name}, {asked}: {result.status}\nreason  {result.reason}",
        _runs(result),
        _spreads(result),
        gates_table(result.expect),
        _next_of_seeds(result, runs_dir_option),
    ]
    return "\n\n".join(section for section in sections if section)


def _runs(result: SeedsResult) -> str:
    judged = any(run.expect for run in result.runs.values())
    rows = []
    for seed, run in result.runs.items():
        row = [str(seed), run.uid, run.status, str(run.iterations), run.digest]
        own = [gate for gate in run.expect if gate["seeds"] == 1]
        passed = sum(gate["passed"] is True for gate in own)
        rows.append(row + ([f"{passed} of {len(own)}"] if judged else []))
    headers = ["seed", "run", "status", "iterations", "digest"]
    return table(headers + (["own gates passed"] if judged else []), rows, right=(0, 3))


def _spreads(result: SeedsResult) -> str:
    rows = [
        [
            key,
            words.number(spread.mean),
            "-" if spread.standard_error is None else words.number(spread.standard_error),
            words.number(spread.min),
            words.number(spread.max),
        ]
        for key, spread in result.metrics.items()
        if not key.startswith(_NOT_SHOWN)
    ]
    headers = ["metric", "mean", "standard error", "min", "max"]
    return table(headers, rows, right=(1, 2, 3, 4)) if rows else ""


def _next_of_seeds(result: SeedsResult, runs_dir_option: str) -> str:
    lines = ["next"]
    for run in result.runs.values():
        if run.status not in _DONE:
            lines.append(f"  jaxpot resume {run.uid}{runs_dir_option}")
    first = next(iter(result.runs.values()))
    if any(run.expect for run in result.runs.values()):
        lines.append(f"  jaxpot expect {first.uid}{runs_dir_option}")
    lines.append(f"  jaxpot ls -n {len(result.runs)}{runs_dir_option}")
    return "\n".join(lines)


def _result(result: RunResult) -> str:
    attempt = f", attempt {result.attempt}" if result.attempt > 1 else ""
    plural = "" if result.iterations == 1 else "s"
    lines = [
        f"{result.name} {result.uid}: {result.status} after {result.iterations} "
        f"iteration{plural}{attempt}",
        f"reason      {result.reason}",
        f"checkpoint  {result.checkpoint or 'none'}",
        f"digest      {result.digest}",
    ]
    return "\n".join(lines)


def gates_table(expect: Sequence[Mapping[str, Any]]) -> str:
    """Lays out verdicts, as a result or the store has them; "" where there are none."""
    if not expect:
        return ""
    rows = [gate_cells(gate) for gate in expect]
    lines = [["gate", "at", "wanted", "of", "value", ""], *rows]
    if not any(row[3] for row in rows):
        lines = [[*line[:3], *line[4:]] for line in lines]
    return table(lines[0], lines[1:], right=(len(lines[0]) - 2,))


def _time(spent: dict[str, float]) -> str:
    total = sum(spent.values())
    if not total > 0:
        return ""
    rows = [
        [name, words.span(seconds), f"{100 * seconds / total:.1f} %"]
        for name, seconds in spent.items()
        if seconds / total >= _SHARE_SHOWN
    ]
    rows.append(["all", words.span(total), ""])
    return table(["where the time went", "", ""], rows, right=(1, 2))


def _next(result: RunResult, runs_dir_option: str) -> str:
    # Printed for the user to run, never run here; a uid has no quotes.
    query = f"select iter, value from metric where uid = '{result.uid}' and key = 'total_loss'"  # noqa: S608
    more = f" --iterations {2 * result.iterations}" if result.status in _DONE else ""
    return "\n".join(
        [
            "next",
            f"  jaxpot show {result.uid}{runs_dir_option}",
            f'  jaxpot sql "{query}"{runs_dir_option}',
            f"  jaxpot resume {result.uid}{more}{runs_dir_option}",
        ]
    )
