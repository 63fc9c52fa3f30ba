"""A display that writes plain lines, for logs and pipes."""

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
    """An observer that writes a line for each event, and one of progress every two seconds."""

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        only_warnings: bool = False,
    ) -> None:
        """Prepare a display.

        Args:
            stream: Where to write; stderr when None.
            clock: A monotonic clock in seconds.
            only_warnings: Write nothing but warnings.
        """
        self._stream = stream or sys.stderr
        self._clock = clock
        self._only_warnings = only_warnings
        self._past = False
        self._progress = Progress(clock=clock)
        self._written_at = clock()

    def replaying(self, *, past: bool) -> None:
        """Write nothing of the past, which is replayed, and sum it up at its end.

        The summary has a line for each evaluator's newest results and one for the progress.
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
        """Write the run's name, goal and device; again for a further attempt."""
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
        self._progress.compiling(program)

    def compiled(self, program: str, seconds: float) -> None:
        self._progress.compiled(program, seconds)
        self._write(f"compiled {program} in {words.span(seconds)}")

    def payload(self, payload: Payload) -> None:
        """Write new evaluations, and the progress when it is due."""
        for one in self._progress.payload(payload):
            self._write(f"evaluation at {self._progress.done}: {_results(one, payload)}")
        now = self._clock()
        if now - self._written_at >= PROGRESS_EVERY_S:
            self._written_at = now
            self._write(self._line(payload))

    def checkpoint(self, record: Mapping[str, Any]) -> None:
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
        """Write which entries joined the league and which were recalled."""
        news = self._progress.standings(standings)
        if news:
            self._write(f"league at {self._progress.done}: {news}")

    def warning(self, text: str) -> None:
        if not self._past:
            self._always(f"warning: {text}")

    def finished(self, result: RunResult) -> None:
        """Write the final progress."""
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
    """Write an evaluator's results, without those of a single seat."""
    keys = [key for key in one.keys if "/" not in key]
    listed = "  ".join(f"{key} {words.number(payload[one.prefix + key])}" for key in keys)
    return f"{one.name}  {listed}"
