"""One picture of a run as lines of styled text: a pure function of its progress and the size."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text

from jaxpot import formatting as words
from jaxpot.loop.observer import RunInfo
from jaxpot.views.league import league_lines
from jaxpot.views.lines import GAP, Lines, beside, fitting, spread
from jaxpot.views.progress import Progress
from jaxpot.views.sections import Size, curves, evaluation_lines, gates, phases

SIDE_BY_SIDE = 76
_LEAST_ROWS = 2
_LEAGUE_SHARE = 4

Section = Callable[[int], Lines]


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
    evaluations, expected = _whole(evaluation_lines(progress)), _whole(gates(progress, info))
    league = _league(progress, size)
    if size.width >= SIDE_BY_SIDE:
        half = Size((size.width - len(GAP)) // 2, size.height, size.ascii_only)
        left, right = curves(progress, half), phases(progress, half)
        both = beside(left, right, half.width) if left and right else left or right
        sections = [_whole(both), evaluations, league, expected]
    else:
        losses, times = _whole(curves(progress, size)), _whole(phases(progress, size))
        sections = [losses, evaluations, league, expected, times]
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
    threads = f", {words.plural(info.nproc, 'thread')}" if info.nproc else ""
    right = Text(f"{info.device}{threads}", style="dim")
    return spread(left, right, size.width)


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
    return Text(fitting(parts, size.width))


def _footer(progress: Progress, size: Size) -> Lines:
    if progress.result is not None:
        result = progress.result
        ending = f"{result.status} after {words.plural(result.iterations, 'iteration')}"
        return [Text(ending, style="bold")]
    hint = Text(progress.hint, style="dim")
    if progress.saved is None:
        return [hint]
    record, when = progress.saved
    saved = Text(f"checkpoint {record['iteration']:06d}", style="dim")
    if size.width >= SIDE_BY_SIDE:
        amount = record.get("bytes")
        what = "" if amount is None else f", {words.size(amount)}"
        saved.append(f"{what}, {words.duration(progress.since(when))} ago")
    return [spread(saved, hint, size.width)]
