"""Gates, checkpoints and attempts as cells of a table, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxpot import formatting as words


def gate_cells(gate: Mapping[str, Any]) -> list[str]:
    """Write a gate's verdict: metric, place, bounds, statistic, value, outcome."""
    return [
        str(gate.get("metric")),
        str(gate.get("at")),
        words.bounds(gate.get("min"), gate.get("max")),
        _statistic(gate),
        _value(gate),
        _verdict(gate),
    ]


def checkpoint_cells(row: Mapping[str, Any]) -> list[str]:
    """Write a checkpoint: iteration, kind, state, size, seconds, score, and path or error."""
    return [
        str(row["iteration"]),
        row["kind"],
        row["state"],
        "-" if row["bytes"] is None else words.size(row["bytes"]),
        "-" if row["seconds"] is None else words.span(row["seconds"]),
        "-" if row["score"] is None else number(row["score"]),
        row["error"] or row["path"] or "",
    ]


def attempt_cells(row: Mapping[str, Any]) -> list[str]:
    """Write an attempt: number, iterations, status, start, and why it ended."""
    return [
        str(row["attempt"]),
        f"{row['start_iter']} to {row['iterations']}",
        row["status"],
        moment(row["started"]),
        row["exit_reason"] or "",
    ]


def number(value: float | str) -> str:
    """Write a number; a journal has NaN and infinities as text."""
    return value if isinstance(value, str) else words.number(value)


def moment(text: str | None) -> str:
    """Write a time to the second."""
    return "" if text is None else f"{text[:10]} {text[11:19]} UTC"


def _statistic(gate: Mapping[str, Any]) -> str:
    if (gate.get("seeds") or 1) == 1:
        return ""
    count = len(gate.get("runs") or ())
    return f"{gate.get('statistic')} of {count} seed{'' if count == 1 else 's'}"


def _value(gate: Mapping[str, Any]) -> str:
    value, error = gate.get("value"), gate.get("standard_error")
    if value is None:
        return "-"
    if error is None or gate.get("statistic") != "mean":
        return number(value)
    return f"{number(value)} \u00b1 {number(error)}"


def _verdict(gate: Mapping[str, Any]) -> str:
    if gate.get("judged"):
        return "passed" if gate.get("passed") else "missed"
    needed = gate.get("seeds") or 1
    return "not judged" + (f", needs {needed} seeds" if needed > 1 else "")
