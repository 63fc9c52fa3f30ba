"""Learning gates: `[[expect]]` tables judged over a run's payload."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxpot.spec import Expect


def judge(
    gates: Sequence[Expect], payloads: Iterable[Mapping[str, Any]], *, complete: bool
) -> list[dict[str, Any]]:
    """Judges every gate over a run's payloads, in order of iteration.

    Args:
        gates: The spec's gates.
        payloads: Each iteration's values by key, `iter` among them.
        complete: Whether the run reached its spec's iterations; if not, nothing is judged.

    Returns:
        One `{metric, at, min, max, value, judged, passed}` per gate; `value` is None where the
        run has none, and `passed` where the gate is not judged.
    """
    values: list[float | None] = [None] * len(gates)
    if gates:
        for payload in payloads:
            for index, gate in enumerate(gates):
                if gate.metric in payload:
                    value = payload[gate.metric]
                    values[index] = _choose(gate, values[index], value, payload["iter"])
    return [
        {
            "metric": gate.metric,
            "at": gate.at,
            "min": gate.min,
            "max": gate.max,
            "value": value,
            "judged": complete,
            "passed": _within(gate, value) if complete else None,
        }
        for gate, value in zip(gates, values, strict=True)
    ]


def status_of(expect: list[dict[str, Any]], *, complete: bool) -> str:
    """Returns the status of a run that ended by itself: completed, gate_missed or stopped."""
    if not complete:
        return "stopped"
    return "completed" if all(gate["passed"] for gate in expect) else "gate_missed"


def reason_of(status: str, done: int, planned: int) -> str:
    """Says in words why a run has the status that `status_of` gave it."""
    match status:
        case "completed":
            return f"all {done} iterations are done"
        case "gate_missed":
            return f"all {done} iterations are done and a gate was missed"
        case _:
            return f"stopped as asked after {done} of {planned} iterations"


def too_few(uid: str, done: int, asked: int) -> str:
    """Says in words that a run has done more iterations than it is asked to stop after."""
    return (
        f"run {uid} has done {done} iterations, more than the {asked} asked for; "
        f"to go on, ask for more: jaxpot resume {uid} --iterations {done + 1}"
    )


def _choose(gate: Expect, kept: float | None, value: float, iteration: int) -> float | None:
    match gate.at:
        case "last":
            return value
        case "best":
            if kept is None or math.isnan(kept):
                return value
            better = value > kept if gate.min is not None else value < kept
            return value if better else kept
        case "any":
            return kept if kept is not None and _within(gate, kept) else value
        case wanted:
            return value if iteration == wanted else kept


def _within(gate: Expect, value: float | None) -> bool:
    if value is None or math.isnan(value):
        return False
    above = gate.min is None or value >= gate.min
    return above and (gate.max is None or value <= gate.max)
