"""Signals: a request to stop, which the loop honours between iterations, or a command's end."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

STOPS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,  # the terminal was closed
    signal.SIGUSR1,  # schedulers: the time is nearly over
    signal.SIGUSR2,
    signal.SIGXCPU,
)
"""Signals that ask for a stop with a checkpoint; SIGQUIT still ends a process at once."""

# Signals that end the process when they come twice. Terminals and schedulers repeat and mix the
# others: closing a terminal can send SIGHUP twice, and SIGTERM may follow SIGUSR1. A save must
# survive that.
_INSISTING = frozenset({signal.SIGINT, signal.SIGTERM})


class StopRequest:
    """Remember the first signal, for the loop to save and stop.

    A second Ctrl-C or SIGTERM ends the process. If two requests are nested, the inner one gets the
    signal, and passes it to the outer one when it is left.

    Use it as a context manager. Outside the main thread, where Python allows no handlers, it never
    gets a signal.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._received: set[int] = set()
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            self._previous = {
                each: signal.signal(each, self._handle) for each in STOPS if not _is_ignored(each)
            }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for each, handler in self._previous.items():
            signal.signal(each, handler)
            outer = getattr(handler, "__self__", None)
            if isinstance(outer, StopRequest):
                outer.signal = outer.signal or self.signal

    @property
    def exit_code(self) -> int:
        """The shell's exit code for the signal: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + int(self.signal or 0)

    @property
    def advice(self) -> str:
        """A hint to the user, shown while the state is saved."""
        return "; again: stop at once" if self.signal in _INSISTING else ""

    def _handle(self, number: int, frame: FrameType | None) -> None:
        insists = number in self._received and number in _INSISTING
        self._received.add(number)
        if self.signal is None:
            self.signal = signal.Signals(number)
        elif insists:
            # Safe in the middle of a save: it has no final name yet.
            _end(number, frame)


def end_on_signals() -> None:
    """Make signals end a command by an exception, so that temporary files and children are removed.

    A signal that was ignored when the process started, as SIGHUP under `nohup`, stays ignored.
    """
    for each in STOPS:
        if each != signal.SIGINT and not _is_ignored(each):
            signal.signal(each, _end)


def leave_to_parent() -> None:
    """Ignore requests to stop, in a process that ends when its parent closes its stdin.

    Schedulers and service managers send signals to every process of a job, but this one must still
    handle what the run writes last.
    """
    for each in STOPS:
        signal.signal(each, signal.SIG_IGN)


def _is_ignored(number: signal.Signals) -> bool:
    # A shell starts background jobs with Ctrl-C ignored, but `kill -INT` is meant for them.
    return number != signal.SIGINT and signal.getsignal(number) is signal.SIG_IGN


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
