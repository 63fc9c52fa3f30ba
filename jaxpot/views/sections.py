"""Sections of the dashboard's picture: losses, phase times, evaluations, league, gates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
from rich.text import Text

from jaxpot import formatting as words
from jaxpot.loop.observer import RunInfo
from jaxpot.views.progress import Entry, Evaluation, Payload, Progress, Standings, is_recalled

if TYPE_CHECKING:
    from jaxpot.spec import Expect

CURVES = {
    "total_loss": "total loss",
    "policy_loss": "policy loss",
    "value_loss": "value loss",
    "entropy_loss": "entropy loss",
    "grad_norm": "gradient norm",
    "train_vs_random/reward": "random reward",
    "train_vs_league/reward": "league reward",
    "train_vs_archive/reward": "archive reward",
}
_LABEL = 15
_BEST = {"lost": "lost", "win_rate": "win", "avg_reward": "reward"}
_VALUE = 10
_LEAST_DRAWN = 5
_MOST_ENTRIES = 8
_LEAST_COUNTED = 4
_NAME, _SCORE, _ROLLOUTS = 15, 10, 11
GAP = "   "
Lines = list[Text]


@attrs.frozen
class Size:
    """Room for a picture in characters, and whether it may use only ASCII."""

    width: int
    height: int
    ascii_only: bool = False


def curves(progress: Progress, size: Size) -> Lines:
    """Draw each loss over the run so far, and its newest value."""
    latest = progress.latest
    if latest is None:
        return []
    room = size.width - _LABEL - _VALUE - 1
    history = progress.history.items()
    lines = [Text("losses", style="bold")]
    for key, label in CURVES.items():
        # A key whose window is over would show a stale value.
        if key not in latest:
            continue
        line = Text(cell(label, _LABEL))
        if room >= _LEAST_DRAWN:
            values = [payload[key] for payload in history if key in payload]
            drawn = words.sparkline(values, room, ascii_only=size.ascii_only)
            line.append(drawn.ljust(room) + " ", style="cyan")
        line.append(words.number(latest[key]).rjust(_VALUE))
        lines.append(line)
    return lines if len(lines) > 1 else []


def phases(progress: Progress, size: Size) -> Lines:
    """Draw how long each phase took when it was last timed."""
    timed = progress.timed
    if timed is None:
        return []
    evaluators = {f"timings/eval_{one.name}" for one in progress.evaluations}
    phases = {
        key.removeprefix("timings/"): float(value)
        for key, value in timed.items()
        if key.startswith("timings/") and key != "timings/total" and key not in evaluators
    }
    total = sum(phases.values())
    if not total > 0:
        return []
    label, value = max(20, *(len(name) + 1 for name in phases)), 9
    room = size.width - label - value - 1
    lines = [Text.assemble(("phase times", "bold"), (at_iteration(timed), "dim"))]
    for name, seconds in phases.items():
        line = Text(cell(name, label))
        if room >= _LEAST_DRAWN:
            filled = round(room * seconds / total)
            mark = "#" if size.ascii_only else "■"
            line.append(" " + (mark * filled).ljust(room), style="cyan")
        line.append(words.span(seconds).rjust(value))
        lines.append(line)
    return lines


def evaluation_lines(progress: Progress) -> Lines:
    """Draw each evaluator's newest results and its best."""
    shown = [(one, one.latest) for one in progress.evaluations if one.latest is not None]
    if not shown:
        return []
    columns = f"{'win':>10}{'draw':>10}{'lose':>10}   best"
    title = Text.assemble((cell("evaluations", _LABEL), "bold"), (columns, "dim"))
    return [title, *(_evaluation_line(one, latest) for one, latest in shown)]


def _evaluation_line(one: Evaluation, latest: Payload) -> Text:
    line = Text(cell(one.name, _LABEL))
    rates = {"win": "win_rate", "draw": "draw_rate", "lose": "lose_rate"}
    counts = {"win": "won", "draw": "drawn", "lose": "lost"}
    if "win_rate" in one.keys:
        columns, write = rates, words.percent
    elif "lost" in one.keys:
        columns, write = counts, words.number
    else:
        values = (f"{key} {words.number(latest[one.prefix + key])}" for key in one.keys[:3])
        return line.append("  ".join(values)).append(at_iteration(latest), style="dim")
    for column, style in (("win", "green"), ("draw", ""), ("lose", "red")):
        value = latest.get(one.prefix + columns[column])
        line.append(("-" if value is None else write(value)).rjust(10), style=style)
    line.append(_best(one, write))
    if one.best is not latest:
        line.append("; now" + at_iteration(latest), style="dim")
    return line


def _best(one: Evaluation, write: Callable[[float], str]) -> str:
    if one.best is None or one.judged_by is None:
        return ""
    value = write(one.best[one.prefix + one.judged_by])
    return f"   {value} {_BEST[one.judged_by]}{at_iteration(one.best)}"


def gates(progress: Progress, info: RunInfo) -> Lines:
    """Draw the spec's gates, and whether each holds now."""
    lines: Lines = []
    for gate in info.experiment.expect:
        wanted = f"{gate.metric} {words.bounds(gate.min, gate.max)} at {gate.at}"
        line = Text.assemble((cell("gate", 6), "bold"), wanted)
        value = progress.last(gate.metric)
        if value is not None:
            line.append(f"; now {words.number(value)}, ", style="dim")
            line.append(*(("met", "green") if _holds(gate, value) else ("not met", "yellow")))
        lines.append(line)
    return lines


def _holds(gate: Expect, value: float) -> bool:
    return (gate.min is None or value >= gate.min) and (gate.max is None or value <= gate.max)


def league_lines(standings: Standings, room: int) -> list[Text]:
    """Draw the strongest entries in at most `room` lines, and count the rest.

    Args:
        standings: The league.
        room: Number of lines, at least one. With very few, only the title counts the rest.
    """
    entries = standings.entries
    most = min(_MOST_ENTRIES, room - 1)
    if most < len(entries) and room >= _LEAST_COUNTED:
        most = min(_MOST_ENTRIES, room - 2)
    columns = f"{'score':>{_SCORE}}{'rollouts':>{_ROLLOUTS}}   "
    title = Text.assemble(
        ("league".ljust(_NAME), "bold"),
        (f"{columns}{standings.sizes} at {standings.done}", "dim"),
    )
    lines = [title, *(_line(entry) for entry in entries[:most])]
    if len(entries) > most and room >= _LEAST_COUNTED:
        lines.append(Text(f"and {len(entries) - most} more", style="dim"))
    return lines


def _line(entry: Entry) -> Text:
    name = str(entry["name"])[: _NAME - 1].ljust(_NAME)
    score = words.number(float(entry["score"])).rjust(_SCORE)
    rollouts = words.count(entry["rollouts"]).rjust(_ROLLOUTS)
    line = Text(f"{name}{score}{rollouts}   {entry['place']}")
    return line.append(", active", style="yellow") if is_recalled(entry) else line


def at_iteration(payload: Mapping[str, float | int]) -> str:
    """Write the iteration of a payload, counted from 1."""
    return f" at {int(payload['iter']) + 1}"


def cell(text: str, width: int) -> str:
    """Pad or cut text to a column's width."""
    return text[: width - 1].ljust(width) if len(text) >= width else text.ljust(width)


def fitting(parts: Iterable[str], width: int) -> str:
    """Join as many parts as fit."""
    line = ""
    for part in parts:
        longer = f"{line}   {part}" if line else part
        if line and len(longer) > width:
            break
        line = longer
    return line


def spread(left: Text, right: Text, width: int) -> Text:
    """Put two texts at the ends of a line; only the left one where there is no room."""
    gap = width - left.cell_len - right.cell_len
    if gap < 2:
        return left
    return Text.assemble(left, " " * gap, right)


def beside(left: Sequence[Text], right: Sequence[Text], width: int) -> Lines:
    """Put two blocks of lines side by side, the left one `width` wide."""
    lines: Lines = []
    for row in range(max(len(left), len(right))):
        one = left[row] if row < len(left) else Text()
        two = right[row] if row < len(right) else Text()
        padding = " " * max(0, width - one.cell_len) + GAP
        lines.append(Text.assemble(one, padding, two) if two else one)
    return lines
