"""Tables of text: a comparison, for a terminal, Markdown and the report, and single cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from jaxpot import formatting as words
from jaxpot.statistics import Spread
from jaxpot.views.compare import Comparison, KeyComparison, Lead
from jaxpot.views.groups import Group

_LONGEST = 32
_ARROWS = {"up": "\u2191", "down": "\u2193", None: ""}


@attrs.frozen
class Table:
    """A table: title, columns, right-aligned columns, and a text for no rows."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[int] = ()
    empty: str = ""


def tables(found: Comparison) -> list[Table]:
    """Return three tables: the runs, the differences of their specs, and their results."""
    return [_runs(found), _differences(found), _keys(found)]


def letters(count: int) -> list[str]:
    """Return short names of runs: A to Z, then A1, B1 and so on."""
    return [chr(ord("A") + i % 26) + (str(i // 26) if i >= 26 else "") for i in range(count)]


def _runs(found: Comparison) -> Table:
    group_of = {uid: group.label for group in found.groups for uid in group.uids}
    rows = [
        [
            letter,
            run.uid,
            run.name,
            "-" if run.seed is None else str(run.seed),
            run.status,
            str(run.iterations),
            group_of.get(run.uid, "left out"),
        ]
        for letter, run in zip(letters(len(found.runs)), found.runs, strict=True)
    ]
    headers = ["run", "uid", "name", "seed", "status", "iterations", "taken as"]
    return Table("The runs", headers, rows, right=(3, 5))


def _differences(found: Comparison) -> Table:
    rows = [
        [path, *(_cut("(absent)" if (v := values[run.uid]) is None else v) for run in found.runs)]
        for path, values in found.differences
    ]
    headers = ["spec", *letters(len(found.runs))]
    return Table("What their specs say differently", headers, rows, empty="nothing")


def _keys(found: Comparison) -> Table:
    place = f"at {found.at}" if found.at.isdigit() else found.at
    several = len(found.groups) > 1
    rows = [
        [
            f"{one.key} {_ARROWS[one.sense]}".rstrip(),
            *(_group_value(one, group) for group in found.groups),
            *([lead_words(one.lead)] if several else []),
        ]
        for one in found.keys
    ]
    headers = [place, *(group.label for group in found.groups), *(["ahead"] if several else [])]
    right = range(1, len(found.groups) + 1)
    return Table("What they reached", headers, rows, right=right, empty="no key has a value")


def _group_value(one: KeyComparison, group: Group) -> str:
    spread = one.spreads.get(group.label)
    if spread is None:
        return "-"
    return spread_words(spread) + _missing(spread, group)


def _missing(spread: Spread, group: Group) -> str:
    return "" if spread.count == len(group.runs) else f" ({spread.count} of {len(group.runs)})"


def spread_words(spread: Spread) -> str:
    """Write a mean and its standard error, or a single value."""
    mean, error = words.number(spread.mean), spread.standard_error
    return mean if error is None else f"{mean} \u00b1 {error:.2g}"


def lead_words(lead: Lead) -> str:
    """Say which group is ahead and by how much, or why no distance is known."""
    if lead.best is None:
        return "equal" if lead.why == "equal" else ""
    if lead.welch is None:
        return f"{lead.best}; {lead.why}"
    if math.isinf(lead.welch.ratio):
        return f"{lead.best}; no spread"
    return f"{lead.best} by {abs(lead.welch.ratio):.1f} se"


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 3]}..."


def comparison_record(found: Comparison) -> dict[str, Any]:
    """Return a comparison as `--json` prints it."""
    return {
        "at": found.at,
        "runs": [run._asdict() for run in found.runs],
        "groups": [
            {"label": group.label, "uids": group.uids, "seeds": [run.seed for run in group.runs]}
            for group in found.groups
        ],
        "differences": [
            {"path": difference.path, "values": dict(difference.values)}
            for difference in found.differences
        ],
        "keys": [_key_record(one) for one in found.keys],
        "notes": found.notes,
    }


def _key_record(one: KeyComparison) -> dict[str, Any]:
    return {
        "key": one.key,
        "sense": one.sense,
        "values": {uid: value._asdict() for uid, value in one.values.items()},
        "groups": {label: attrs.asdict(spread) for label, spread in one.spreads.items()},
        "best": one.lead.best,
        "second": one.lead.second,
        "welch": attrs.asdict(one.lead.welch) if one.lead.welch else None,
        "why": one.lead.why or None,
    }


def gate_cells(gate: Mapping[str, Any]) -> list[str]:
    """Write a gate's verdict: metric, place, bounds, statistic, value, outcome."""
    return [
        str(gate.get("metric")),
        str(gate.get("at")),
        words.bounds(gate.get("min"), gate.get("max")),
        _statistic(gate),
        _gate_value(gate),
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


def _gate_value(gate: Mapping[str, Any]) -> str:
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
