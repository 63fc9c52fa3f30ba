"""A live display of a run on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from jaxpot import formatting as words
from jaxpot.loop.observer import RunInfo, RunResult
from jaxpot.views.progress import HINT, Progress
from jaxpot.views.sections import (
    GAP,
    Lines,
    Size,
    beside,
    curves,
    evaluation_lines,
    fitting,
    gates,
    league_lines,
    phases,
    spread,
)

REFRESHES_PER_SECOND = 4
SIDE_BY_SIDE = 76
_LEAST_ROWS = 2
_LEAGUE_SHARE = 4
Section = Callable[[int], Lines]


class Dashboard:
    """An observer that draws a run in place, a few times a second, from another thread.

    The loop's calls only store references for that thread. Use it as a context manager, so that the
    terminal is restored however the run ends:

        with Dashboard(console) as dashboard:
            run(..., observer=dashboard)
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        live: bool = True,
        hint: str = HINT,
    ) -> None:
        """Prepare a display, which opens when the run starts.

        Args:
            console: The terminal; stderr when None.
            clock: A monotonic clock in seconds.
            live: False draws only when asked by `frame` (for tests and pictures).
            hint: The last line's words about Ctrl-C.
        """
        self.console = console or Console(stderr=True)
        self._clock, self._hint = clock, hint
        self.progress = Progress(clock=clock, hint=hint)
        self._wanted = live
        self._past = False
        self._live: Live | None = None

    def __enter__(self) -> Dashboard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Restore the terminal, with the last picture left on it."""
        self._stop()

    def replaying(self, *, past: bool) -> None:
        """Leave out warnings of the past, which is replayed."""
        self._past = past

    def started(self, info: RunInfo) -> None:
        """Open the display, or start again for a further attempt."""
        progress = Progress(clock=self._clock, hint=self._hint)
        progress.started(info)
        self.progress = progress
        if self._wanted and self._live is None:
            self._live = Live(
                self,
                console=self.console,
                refresh_per_second=REFRESHES_PER_SECOND,
                redirect_stdout=sys.stdout.isatty(),
                vertical_overflow="crop",
            )
            self._live.start()

    def compiling(self, program: str) -> None:
        self.progress.compiling(program)

    def compiled(self, program: str, seconds: float) -> None:
        self.progress.compiled(program, seconds)

    def payload(self, payload: Mapping[str, float | int]) -> None:
        self.progress.payload(payload)

    def checkpoint(self, record: Mapping[str, Any]) -> None:
        failure = self.progress.checkpoint(record)
        if failure is not None:
            self.warning(failure)

    def standings(self, iteration: int, standings: Sequence[Mapping[str, Any]]) -> None:
        self.progress.standings(standings)

    def warning(self, text: str) -> None:
        """Print a warning in full above the picture, where it stays."""
        if self._past:
            return
        self.console.print(Text(f"warning: {text}", style="yellow"))

    def finished(self, result: RunResult) -> None:
        """Draw the last picture and close the display."""
        self.progress.finished(result)
        self._stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the current picture as large as the console allows."""
        # A terminal echoes Ctrl-C as two characters; on a full last line they would wrap, and the
        # next picture would start a line too low.
        width = max(1, options.max_width - 2)
        size = Size(width, max(1, console.height - 1), options.ascii_only)
        yield Text("\n", no_wrap=True, end="").join(frame(self.progress, size))

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()


def frame(progress: Progress, size: Size) -> Lines:
    """Draw a run as lines of styled text: a pure function of its progress and the size.

    Where the height is too small, the least important sections are cut or left out; lines are cut
    at the width. A small terminal shows less and never wraps.
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
    """Return the sections between head and foot, the most important first."""
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
    """Return a section that is cut where it does not fit; None for no lines."""
    return (lambda room: lines[:room]) if lines else None


def _league(progress: Progress, size: Size) -> Section | None:
    """Return the league's section, which adapts to the room that it gets."""
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
