"""Add up where an attempt's wall time goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

SPENT = ("compile", "collect", "update", "iterate", "evaluate", "league", "record", "debug")
SPENT += ("phases", "save", "wait")
"""The entries of the report. `iterate` is collecting and updating together, for a run without
stepped iterations; `phases` are a user's host phases; `wait` is for the last save."""


class Clock:
    """Adds up seconds by what they were spent on.

    Iterations run asynchronously, so their seconds are those between two fetches of metrics less
    whatever else was done in between. They are split into collecting and updating as the stepped
    iterations were, in which each phase is waited for.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(SPENT, 0.0)
        self._iterating = 0.0
        self._collect_share: float | None = None
        self.start()

    @contextmanager
    def spending(self, what: str) -> Iterator[None]:
        """Charge the block's seconds to `what`, and not to the iterations around it.

        What is compiled within is charged to compiling, not to `what`.
        """
        started, compiled = time.perf_counter(), self.seconds["compile"]
        try:
            yield
        finally:
            compiling = self.seconds["compile"] - compiled
            self.spent(what, time.perf_counter() - started - compiling)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Charge the block's seconds to `record`; the device goes on, so the lap does too."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds["record"] += time.perf_counter() - started

    def spent(self, what: str, seconds: float) -> None:
        """Charge `seconds` that have just passed."""
        self.seconds[what] += seconds
        self._excluded += seconds

    def start(self) -> None:
        """Start the first lap: the time before it belongs to no iteration."""
        self._mark, self._excluded = time.perf_counter(), 0.0

    def lap(self) -> float:
        """Return the seconds of iterations since the last lap, and start the next."""
        # A compile that overlaps running iterations may exceed the lap; no time is negative.
        lap = max(time.perf_counter() - self._mark - self._excluded, 1e-9)
        self.start()
        self._iterating += lap
        return lap

    def profiled(self, collect: float, update: float) -> None:
        """Take over the split of one stepped iteration."""
        if collect + update > 0:
            self._collect_share = collect / (collect + update)

    def report(self) -> dict[str, float]:
        """Return seconds by what they went on, rounded to a microsecond."""
        report = dict(self.seconds)
        iterating = max(self._iterating - report["record"], 0.0)
        if self._collect_share is None:
            report["iterate"] = iterating
        else:
            report["collect"] = iterating * self._collect_share
            report["update"] = iterating - report["collect"]
        return {what: round(seconds, 6) for what, seconds in report.items()}
