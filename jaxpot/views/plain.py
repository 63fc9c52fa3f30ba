"""Progress of a run as plain lines, for logs and pipes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from jaxpot import formatting as words
from jaxpot.loop.observer import RunInfo, RunResult
from jaxpot.views.progress import Evaluation, Payload, Progress

PROGRESS_EVERY_S = 2.0
_LOSSES = ("total_loss", "policy_loss", "value_loss", "entropy_loss")


class Plain:
    """Writes a line for each event, and for the training itself one every two seconds."""

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        only_warnings: bool = False,
    ) -> None:
        """Prepares a display.

        Args:
            stream: Where to write; stderr when None.
            clock: Seconds that only grow.
            only_warnings: Writes nothing but warnings.
        """
        self._stream = stream or sys.stderr
        self._clock = clock
        self._only_warnings = only_warnings
        self._past = False
        self._progress = Progress(clock=clock)
        self._written_at = clock()

    def recalling(self, *, past: bool) -> None:
        """Hears that what follows was before, which is not written, or that the past is told.

        In the past's stead one line of each evaluator says what it measured last, and one where
        the training is.
        """
        self._past = past
        latest = self._progress.latest
        if past or latest is None:
            return
        for one in self._progress.evaluations:
            if one.latest is not None:
                done = int(one.latest["iter"]) + 1
                self._write(f"evaluation at {done}: {_results(one, one.latest)}")
        self._write(self._line(latest))

    def started(self, info: RunInfo) -> None:
        """Writes what runs, where and how far; again, for a further attempt."""
        self._progress = Progress(clock=self._clock)
        self._progress.started(info)
        self._written_at = self._clock()
        threads = f", NPROC {info.nproc}" if info.nproc else ""
        attempt = f", attempt {info.attempt}" if info.attempt > 1 else ""
        line = (
            f"{info.name} {info.uid}{attempt}: iterations {info.start_iter} to "
            f"{info.target_iterations} on {info.device}{threads}; {info.run_dir}"
        )
        if not self._only_warnings:
            self._always(line)

    def compiling(self, program: str) -> None:
        """Notes which program is being compiled."""
        self._progress.compiling(program)

    def compiled(self, program: str, seconds: float) -> None:
        """Writes what was compiled and how long it took."""
        self._progress.compiled(program, seconds)
        self._write(f"compiled {program} in {words.span(seconds)}")

    def payload(self, payload: Payload) -> None:
        """Writes new evaluations, and the progress when its time has come."""
        for one in self._progress.payload(payload):
            self._write(f"evaluation at {self._progress.done}: {_results(one, payload)}")
        now = self._clock()
        if now - self._written_at >= PROGRESS_EVERY_S:
            self._written_at = now
            self._write(self._line(payload))

    def checkpoint(self, record: Mapping[str, Any]) -> None:
        """Writes that a checkpoint is whole, or that it failed."""
        failure = self._progress.checkpoint(record)
        if failure is not None:
            self.warning(failure)
        elif record.get("state") == "committed":
            amount, seconds = record.get("bytes"), record.get("seconds")
            facts = [
                *([] if amount is None else [words.size(amount)]),
                *([] if seconds is None else [words.span(seconds)]),
            ]
            listed = f" ({', '.join(facts)})" if facts else ""
            self._write(f"checkpoint {record['iteration']:06d}{listed}")

    def standings(self, iteration: int, standings: Sequence[Mapping[str, Any]]) -> None:
        """Writes who joined the league and who was recalled from its archive."""
        news = self._progress.standings(standings)
        if news:
            self._write(f"league at {self._progress.done}: {news}")

    def warning(self, text: str) -> None:
        """Writes a warning."""
        if not self._past:
            self._always(f"warning: {text}")

    def finished(self, result: RunResult) -> None:
        """Writes where the training stopped."""
        self._progress.finished(result)
        if self._progress.latest is not None:
            self._write(self._line(self._progress.latest))

    def _line(self, payload: Payload) -> str:
        info, progress = self._progress.info, self._progress
        total = progress.done if info is None else info.target_iterations
        parts = [f"{progress.done}/{total}"]
        rate, remaining = progress.rate(), progress.remaining()
        if rate is not None:
            parts.append(f"{words.number(rate)} it/s")
        if remaining is not None and progress.result is None:
            parts.append(f"{words.duration(remaining)} left")
        parts += [f"{key} {words.number(payload[key])}" for key in _LOSSES if key in payload]
        return "  ".join(parts)

    def _write(self, line: str) -> None:
        if not self._only_warnings and not self._past:
            self._always(line)

    def _always(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


def _results(one: Evaluation, payload: Payload) -> str:
    """Writes an evaluator's own results, those split by seat left out."""
    keys = [key for key in one.keys if "/" not in key]
    listed = "  ".join(f"{key} {words.number(payload[one.prefix + key])}" for key in keys)
    return f"{one.name}  {listed}"
