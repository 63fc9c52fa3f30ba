"""Signals as a request that the loop honours between iterations, and as the end of a command."""

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
"""Signals that ask for a stop with a checkpoint; SIGQUIT is left to end a process at once."""

# Terminals and schedulers repeat the others by themselves, and mix them: a terminal's end alone
# can send SIGHUP twice, and SIGTERM may follow SIGUSR1. A save must survive that.
_INSISTING = frozenset({signal.SIGINT, signal.SIGTERM})


class StopRequest:
    """Notes the first signal, for the loop to save and stop.

    The same one again, of Ctrl-C or SIGTERM, ends the process. Of two requests, one inside the
    other, the inner one hears the signal, and the outer one once that is done.

    Used as a context manager; outside the main thread, where Python allows no handlers, it only
    ever says that nothing was asked for.
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
        """What the user may do while the state is saved."""
        return "; again: stop at once" if self.signal in _INSISTING else ""

    def _handle(self, number: int, frame: FrameType | None) -> None:
        insists = number in self._received and number in _INSISTING
        self._received.add(number)
        if self.signal is None:
            self.signal = signal.Signals(number)
        elif insists:
            # A save may be half way, which is safe: it has no final name yet.
            _end(number, frame)


def end_on_signals() -> None:
    """Lets a command's own clean-up run where a signal ends it: temporary files, child processes.

    One that was ignored when the process started, as SIGHUP is under `nohup`, stays ignored.
    """
    for each in STOPS:
        if each != signal.SIGINT and not _is_ignored(each):
            signal.signal(each, _end)


def leave_to_parent() -> None:
    """Ignores what asks for a stop, in a process that ends when its parent closes its stdin.

    Schedulers and service managers send signals to every process of a job; what the run writes
    last has to be taken in all the same.
    """
    for each in STOPS:
        signal.signal(each, signal.SIG_IGN)


def _is_ignored(number: signal.Signals) -> bool:
    # A shell's background jobs ignore Ctrl-C, and yet `kill -INT` is meant for them.
    return number != signal.SIGINT and signal.getsignal(number) is signal.SIG_IGN


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
