"""Verdicts of learning gates in words, as a result, a recorded run and a report show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxpot.sinks import format as words


def gate_cells(gate: Mapping[str, Any]) -> list[str]:
    """Writes a verdict: metric, place, bounds, statistic, value, and how it came out."""
    return [
        str(gate.get("metric")),
        str(gate.get("at")),
        words.bounds(gate.get("min"), gate.get("max")),
        _statistic(gate),
        _value(gate),
        _verdict(gate),
    ]


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
        return _number(value)
    return f"{_number(value)} \u00b1 {_number(error)}"


def _verdict(gate: Mapping[str, Any]) -> str:
    if gate.get("judged"):
        return "passed" if gate.get("passed") else "missed"
    needed = gate.get("seeds") or 1
    return "not judged" + (f", needs {needed} seeds" if needed > 1 else "")


def _number(value: float | str) -> str:
    """Writes a number; a journal has NaN and infinities as texts."""
    return value if isinstance(value, str) else words.number(value)
