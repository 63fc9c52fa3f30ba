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

from jaxpot.loop.observer import RunInfo, RunResult
from jaxpot.views.frame import frame
from jaxpot.views.progress import HINT, Progress
from jaxpot.views.sections import Size

REFRESHES_PER_SECOND = 4


class Dashboard:
    """Draws a run in place, a few times a second, from a thread of its own.

    The loop's calls only leave references for that thread. Use it as a context manager, so that
    the terminal is given back however the run ends:

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
        """Prepares a display.

        Args:
            console: Where to draw; stderr when None.
            clock: Seconds that only grow.
            live: False draws nothing until `frame` is asked for (tests, pictures).
            hint: What the last line says of Ctrl-C.
        """
        self.console = console or Console(stderr=True)
        self._clock, self._hint = clock, hint
        self.progress = Progress(clock=clock, hint=hint)
        self._wanted = live
        self._past = False
        self._live: Live | None = None

    def __enter__(self) -> Dashboard:
        """Returns itself; the display opens when the run starts."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Gives the terminal back, with the last picture left on it."""
        self._stop()

    def recalling(self, *, past: bool) -> None:
        """Hears that what follows was before, or that the past is told; old warnings stay there."""
        self._past = past

    def started(self, info: RunInfo) -> None:
        """Opens the display; again, for a further attempt, it begins anew."""
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
        """Shows what is being compiled."""
        self.progress.compiling(program)

    def compiled(self, program: str, seconds: float) -> None:
        """Goes back to showing the training."""
        self.progress.compiled(program, seconds)

    def payload(self, payload: Mapping[str, float | int]) -> None:
        """Takes an iteration's payload for the next picture."""
        self.progress.payload(payload)

    def checkpoint(self, record: Mapping[str, Any]) -> None:
        """Takes a checkpoint's record for the next picture, and warns of one that failed."""
        failure = self.progress.checkpoint(record)
        if failure is not None:
            self.warning(failure)

    def standings(self, iteration: int, standings: Sequence[Mapping[str, Any]]) -> None:
        """Takes what the league holds for the next picture."""
        self.progress.standings(standings)

    def warning(self, text: str) -> None:
        """Prints a warning above the picture, in full, where it stays."""
        if self._past:
            return
        self.console.print(Text(f"warning: {text}", style="yellow"))

    def finished(self, result: RunResult) -> None:
        """Draws the last picture and closes the display."""
        self.progress.finished(result)
        self._stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draws the present picture in the room that the console has."""
        # A terminal echoes Ctrl-C as two characters; on a full last line they would wrap, and the
        # next picture would start a line too low.
        width = max(1, options.max_width - 2)
        size = Size(width, max(1, console.height - 1), options.ascii_only)
        yield Text("\n", no_wrap=True, end="").join(frame(self.progress, size))

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()
