"""Following a run of another process to its end, through its journal alone."""

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
    """An observer that can be told of the past in silence."""

    def recalling(self, *, past: bool) -> None:
        """Hears that what follows was before it looked, or that the past is told."""
        ...


class JournalGoneError(UserError):
    """The journal was removed, or replaced by another one, while it was watched."""

    exit_code = 1


def watch(
    folder: Path,
    display: Display,
    clock: JournalClock,
    *,
    wait: bool = False,
    tell: Callable[[str], None],
) -> RunResult:
    """Show a run until it ends; one that has ended is shown once, as it ended.

    Args:
        folder: The run's.
        display: Who shows it.
        clock: The display's.
        wait: Go on at an end that a resume can follow, until all iterations are done.
        tell: Called with a line about what is waited for.

    Returns:
        How it ended. A run whose process died says nothing: it counts as interrupted.

    Raises:
        JournalGoneError: the journal is gone.
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
    display.recalling(past=True)
    told = False
    # Asked first, here and below: what a process wrote before it let go of its lock is read after.
    alive = is_running(folder)
    while not replay.begin():
        if not alive:
            raise UserError(f"run {folder.name} never began; `jaxpot resume` starts it")
        if not told:
            tell(f"run {folder.name} has not begun yet: waiting")
            told = True
        time.sleep(_PAUSE_SECONDS)
        alive = is_running(folder)
    display.recalling(past=False)
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
