"""What a run's end prints: the result, its gates, where the time went, what to try next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jaxpot.cli.output import table
from jaxpot.sinks import format as words

if TYPE_CHECKING:
    from jaxpot.loop.observer import RunResult

_DONE = ("completed", "gate_missed")
_SHARE_SHOWN = 0.0005


def report(result: RunResult, runs_dir_option: str = "") -> str:
    """Writes a result for people.

    Args:
        result: How the attempt ended.
        runs_dir_option: ` --runs-dir DIR`, for the commands to try next, where they need it.
    """
    sections = [
        _result(result),
        _gates(result.expect),
        _time(result.time),
        _next(result, runs_dir_option),
    ]
    return "\n\n".join(section for section in sections if section)


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


def _gates(expect: list[dict[str, Any]]) -> str:
    if not expect:
        return ""
    rows = [
        [
            gate["metric"],
            str(gate["at"]),
            words.bounds(gate["min"], gate["max"]),
            "-" if gate["value"] is None else words.number(gate["value"]),
            _verdict(gate),
        ]
        for gate in expect
    ]
    return table(["gate", "at", "wanted", "value", ""], rows, right=(3,))


def _verdict(gate: dict[str, Any]) -> str:
    if not gate["judged"]:
        return "not judged"
    return "passed" if gate["passed"] else "missed"


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
