"""Ctrl-C and SIGTERM as a request that the loop honours between iterations."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Notes the first signal, for the loop to save and stop; a second one ends the process.

    Of two, one inside the other, the inner one hears it, and the outer one once that is done.

    Used as a context manager; outside the main thread, where Python allows no handlers, it only
    ever says that nothing was asked for.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            self._previous = {each: signal.signal(each, self._handle) for each in _SIGNALS}
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

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.signal is None:
            self.signal = signal.Signals(number)
            return
        # The user insists. A save may be half way, which is safe: it has no final name yet.
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)
