"""Follow another process's run to its end, by its journal alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME
from jaxpot.loop.observer import Observer, RunResult
from jaxpot.store.runs import is_running
from jaxpot.views.replay import JournalClock, Replay

_PAUSE_SECONDS = 0.25
_OVER = ("completed", "gate_missed")


class Display(Observer, Protocol):
    """An observer that can be silent while the past is replayed."""

    def replaying(self, *, past: bool) -> None:
        """Learn that the following calls are of the past, or that the past is over."""
        ...


class JournalGoneError(UserError):
    """The journal was removed or replaced while it was watched."""

    exit_code = 1


def watch(
    folder: Path,
    display: Display,
    clock: JournalClock,
    *,
    wait: bool = False,
    tell: Callable[[str], None],
) -> RunResult:
    """Show a run until it ends; a run that has ended is shown once.

    Args:
        folder: The run's folder.
        display: Shows the run.
        clock: The display's clock.
        wait: After an end that can be resumed, wait until the run goes on and is complete.
        tell: Called with a line that says what `watch` waits for.

    Returns:
        How it ended. A run whose process died without an end counts as interrupted.

    Raises:
        JournalGoneError: The journal is gone.
    """
    journal = folder / JOURNAL_NAME
    try:
        while True:
            replay = Replay(folder, display, clock)
            result = _attempt(replay, folder, display, tell)
            if result is None:
                continue
            if not wait or result.status in _OVER:
                return result
            tell(f"waiting for run {folder.name} to be resumed")
            while replay.follow():
                time.sleep(_PAUSE_SECONDS)
    except FileNotFoundError as error:
        raise JournalGoneError(f"{journal} was removed while it was watched") from error


def _attempt(
    replay: Replay, folder: Path, display: Display, tell: Callable[[str], None]
) -> RunResult | None:
    """Show the newest attempt to its end; None where a further one began."""
    display.replaying(past=True)
    announced = False
    # Ask before reading, here and below: a process writes its last records before it unlocks.
    alive = is_running(folder)
    while not replay.begin():
        if not alive:
            raise UserError(f"run {folder.name} never began; `jaxpot resume` starts it")
        if not announced:
            tell(f"run {folder.name} has not begun yet: waiting")
            announced = True
        time.sleep(_PAUSE_SECONDS)
        alive = is_running(folder)
    display.replaying(past=False)
    while replay.result is None:
        alive = is_running(folder)
        if replay.is_shorter:
            raise JournalGoneError(f"the journal of run {folder.name} is another one by now")
        if not replay.follow():
            return None
        if replay.result is None and not alive:
            return replay.lost("its process is gone; `jaxpot resume` goes on")
        time.sleep(_PAUSE_SECONDS)
    return replay.result
