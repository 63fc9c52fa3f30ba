"""One picture of a run as lines of styled text: a pure function of its progress and the size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import attrs
from rich.text import Text

from jaxpot.loop.observer import RunInfo
from jaxpot.sinks import format as words
from jaxpot.sinks.league import league_lines
from jaxpot.sinks.progress import Evaluation, Payload, Progress

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
SIDE_BY_SIDE = 76
_LABEL = 15
_BEST = {"lost": "lost", "win_rate": "win", "avg_reward": "reward"}
_VALUE = 10
_GAP = "   "
_LEAST_ROWS = 2
_LEAST_DRAWN = 5
_LEAGUE_SHARE = 4
_HINT = "Ctrl-C saves a checkpoint and stops"

Lines = list[Text]
Section = Callable[[int], Lines]


@attrs.frozen
class Size:
    """The room there is, in characters, and whether it can show more than ASCII."""

    width: int
    height: int
    ascii_only: bool = False


def frame(progress: Progress, size: Size) -> Lines:
    """Draws a run.

    Sections are cut or left out, the least important first, where the height does not hold them
    all, and lines are cut at the width: a small terminal shows less and never wraps.
    """
    info = progress.info
    if info is None:
        return [Text("starting", style="dim")]
    head = [_header(info, size), _bar(progress, info, size), _rates(progress, size)]
    foot = _footer(progress, size)
    lines = list(head)
    for section in _middle(progress, info, size):
        room = size.height - len(lines) - len(foot) - 2
        if room >= _LEAST_ROWS:
            lines += [Text(), *section(room)]
    if len(lines) > len(head):
        lines.append(Text())
    lines = [*lines, *foot][: max(1, size.height)]
    for line in lines:
        line.truncate(size.width, overflow="crop" if size.ascii_only else "ellipsis")
    return lines


def _middle(progress: Progress, info: RunInfo, size: Size) -> list[Section]:
    """Returns the sections between head and foot, the most important first."""
    evaluations, gates = _whole(_evaluation_lines(progress)), _whole(_gates(progress, info))
    league = _league(progress, size)
    if size.width >= SIDE_BY_SIDE:
        half = Size((size.width - len(_GAP)) // 2, size.height, size.ascii_only)
        left, right = _curves(progress, half), _phases(progress, half)
        both = _beside(left, right, half.width) if left and right else left or right
        sections = [_whole(both), evaluations, league, gates]
    else:
        curves, phases = _whole(_curves(progress, size)), _whole(_phases(progress, size))
        sections = [curves, evaluations, league, gates, phases]
    return [section for section in sections if section is not None]


def _whole(lines: Lines) -> Section | None:
    """Returns a section that is cut where it does not fit; None where there is nothing in it."""
    return (lambda room: lines[:room]) if lines else None


def _league(progress: Progress, size: Size) -> Section | None:
    """Returns the league's section, which is drawn for the room that it gets."""
    standings = progress.league
    if standings is None or not standings.entries:
        return None
    share = max(_LEAST_ROWS, size.height // _LEAGUE_SHARE)
    return lambda room: league_lines(standings, min(room, share))


def _header(info: RunInfo, size: Size) -> Text:
    attempt = f"  attempt {info.attempt}" if info.attempt > 1 else ""
    left = Text.assemble((info.name, "bold"), (f"  {info.uid}{attempt}", "dim"))
    threads = f", {_plural(info.nproc, 'thread')}" if info.nproc else ""
    right = Text(f"{info.device}{threads}", style="dim")
    return _spread(left, right, size.width)


def _bar(progress: Progress, info: RunInfo, size: Size) -> Text:
    total = info.target_iterations
    fraction = min(1.0, progress.done / total)
    label = f"  {progress.done}/{total} iterations"
    if size.width < 60:
        label = f"  {progress.done}/{total}"
    room = max(0, size.width - len(label))
    filled = int(fraction * room)
    full, rest = ("#", "-") if size.ascii_only else ("━", "─")
    return Text.assemble((full * filled, "cyan"), (rest * (room - filled), "dim"), label)


def _rates(progress: Progress, size: Size) -> Text:
    parts: list[str] = []
    if progress.compile is not None:
        program, since = progress.compile
        parts.append(f"compiling {program} ({words.duration(progress.since(since))})")
    rate = progress.rate()
    if rate is not None:
        parts.append(f"{words.number(rate)} it/s")
        remaining = progress.remaining()
        if remaining is not None and progress.result is None:
            parts.append(f"{words.duration(remaining)} left")
    parts.append(f"{words.duration(progress.elapsed())} elapsed")
    samples = progress.last("iteration/num_samples")
    if rate is not None and samples is not None:
        parts.append(f"{words.count(rate * samples)} samples/s")
    learning_rate = progress.last("iteration/learning_rate")
    if learning_rate is not None:
        parts.append(f"lr {learning_rate:.3g}")
    return Text(_fitting(parts, size.width))


def _curves(progress: Progress, size: Size) -> Lines:
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
        line = Text(_cell(label, _LABEL))
        if room >= _LEAST_DRAWN:
            values = [payload[key] for payload in history if key in payload]
            drawn = words.sparkline(values, room, ascii_only=size.ascii_only)
            line.append(drawn.ljust(room) + " ", style="cyan")
        line.append(words.number(latest[key]).rjust(_VALUE))
        lines.append(line)
    return lines if len(lines) > 1 else []


def _phases(progress: Progress, size: Size) -> Lines:
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
    lines = [Text.assemble(("phase times", "bold"), (_at(timed), "dim"))]
    for name, seconds in phases.items():
        line = Text(_cell(name, label))
        if room >= _LEAST_DRAWN:
            filled = round(room * seconds / total)
            mark = "#" if size.ascii_only else "■"
            line.append(" " + (mark * filled).ljust(room), style="cyan")
        line.append(words.span(seconds).rjust(value))
        lines.append(line)
    return lines


def _evaluation_lines(progress: Progress) -> Lines:
    shown = [(one, one.latest) for one in progress.evaluations if one.latest is not None]
    if not shown:
        return []
    columns = f"{'win':>10}{'draw':>10}{'lose':>10}   best"
    title = Text.assemble((_cell("evaluations", _LABEL), "bold"), (columns, "dim"))
    return [title, *(_evaluation_line(one, latest) for one, latest in shown)]


def _evaluation_line(one: Evaluation, latest: Payload) -> Text:
    line = Text(_cell(one.name, _LABEL))
    rates = {"win": "win_rate", "draw": "draw_rate", "lose": "lose_rate"}
    counts = {"win": "won", "draw": "drawn", "lose": "lost"}
    if "win_rate" in one.keys:
        columns, write = rates, words.percent
    elif "lost" in one.keys:
        columns, write = counts, words.number
    else:
        values = (f"{key} {words.number(latest[one.prefix + key])}" for key in one.keys[:3])
        return line.append("  ".join(values)).append(_at(latest), style="dim")
    for column, style in (("win", "green"), ("draw", ""), ("lose", "red")):
        value = latest.get(one.prefix + columns[column])
        line.append(("-" if value is None else write(value)).rjust(10), style=style)
    line.append(_best(one, write))
    if one.best is not latest:
        line.append("; now" + _at(latest), style="dim")
    return line


def _best(one: Evaluation, write: Callable[[float], str]) -> str:
    if one.best is None or one.judged_by is None:
        return ""
    value = write(one.best[one.prefix + one.judged_by])
    return f"   {value} {_BEST[one.judged_by]}{_at(one.best)}"


def _gates(progress: Progress, info: RunInfo) -> Lines:
    lines: Lines = []
    for gate in info.experiment.expect:
        wanted = f"{gate.metric} {words.bounds(gate.min, gate.max)} at {gate.at}"
        line = Text.assemble((_cell("gate", 6), "bold"), wanted)
        value = progress.last(gate.metric)
        if value is not None:
            line.append(f"; now {words.number(value)}, ", style="dim")
            line.append(*(("met", "green") if _holds(gate, value) else ("not met", "yellow")))
        lines.append(line)
    return lines


def _footer(progress: Progress, size: Size) -> Lines:
    if progress.result is not None:
        result = progress.result
        ending = f"{result.status} after {_plural(result.iterations, 'iteration')}"
        return [Text(ending, style="bold")]
    hint = Text(_HINT, style="dim")
    if progress.saved is None:
        return [hint]
    record, when = progress.saved
    saved = Text(f"checkpoint {record['iteration']:06d}", style="dim")
    if size.width >= SIDE_BY_SIDE:
        amount = record.get("bytes")
        what = "" if amount is None else f", {words.size(amount)}"
        saved.append(f"{what}, {words.duration(progress.since(when))} ago")
    return [_spread(saved, hint, size.width)]


def _holds(gate: Expect, value: float) -> bool:
    return (gate.min is None or value >= gate.min) and (gate.max is None or value <= gate.max)


def _at(payload: Payload) -> str:
    return f" at {int(payload['iter']) + 1}"


def _plural(amount: int, noun: str) -> str:
    return f"{amount} {noun}{'' if amount == 1 else 's'}"


def _cell(text: str, width: int) -> str:
    return text[: width - 1].ljust(width) if len(text) >= width else text.ljust(width)


def _fitting(parts: Iterable[str], width: int) -> str:
    line = ""
    for part in parts:
        longer = f"{line}   {part}" if line else part
        if line and len(longer) > width:
            break
        line = longer
    return line


def _spread(left: Text, right: Text, width: int) -> Text:
    gap = width - left.cell_len - right.cell_len
    if gap < 2:
        return left
    return Text.assemble(left, " " * gap, right)


def _beside(left: Sequence[Text], right: Sequence[Text], width: int) -> Lines:
    lines: Lines = []
    for row in range(max(len(left), len(right))):
        one = left[row] if row < len(left) else Text()
        two = right[row] if row < len(right) else Text()
        padding = " " * max(0, width - one.cell_len) + _GAP
        lines.append(Text.assemble(one, padding, two) if two else one)
    return lines
