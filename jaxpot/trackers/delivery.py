"""Delivers a run's records to one sink, from the run's journal and its own place in it.

The place that is kept is that of a payload: all before it is safe in the sink, and a sink that is
built anew is first told to forget that payload's iteration and later ones. So whenever the process
dies, what was delivered and not yet kept is delivered again and still counts once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import attrs

from jaxpot.journal import (
    JOURNAL_NAME,
    Attempt,
    End,
    Histogram,
    Payload,
    Record,
    Standings,
    as_dict,
    is_live,
    read_header,
    records,
    records_between,
)
from jaxpot.store.delivery import Delivery, read_delivery, sink_folder
from jaxpot.trackers.base import Sink, SinkRun

_KEEP_SECONDS = 2.0
_DELIVERED = (Payload, Histogram, Standings, End)
_OF_THE_SPEC = ("spec", "spec_toml", "spec_digest", "training_digest")


class Deliverer:
    """One sink of one run, and how far it has come.

    Args:
        run_dir: The run's folder.
        name: The sink's.
        config: The sink's table, which its place belongs to.
        build: Makes the sink.
    """

    def __init__(
        self,
        run_dir: Path,
        name: str,
        config: Mapping[str, Any],
        build: Callable[[SinkRun], Sink],
    ) -> None:
        self._run_dir = run_dir
        self._name = name
        self._build = build
        self._journal = run_dir / JOURNAL_NAME
        known = read_delivery(run_dir, name)
        fresh = Delivery(config=dict(config))
        self.now = known if known is not None and known.config == fresh.config else fresh
        self._kept = self.now
        self._kept_at = 0.0
        self._sink: Sink | None = None
        self._starts: dict[int, int] = {}

    @property
    def is_done(self) -> bool:
        """Says whether the sink has all that the journal has."""
        return self.now.state == "delivered" and not any(
            isinstance(record, (*_DELIVERED, Attempt))
            for _, _, record in records_between(self._journal, self.now.end)
        )

    def catch_up(self) -> None:
        """Delivers what the journal has by now; whatever the sink raises comes out."""
        if self._sink is None:
            if self.is_done:
                return
            self._open()
        while not self._deliver():
            self._open()
        if self.now != self._kept:
            self._keep("following")

    def finish(self) -> None:
        """Delivers what is left and closes the sink; whatever that raises comes out."""
        self.catch_up()
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.flush()
            sink.close()
            self._keep("delivered")

    def drop(self, error: Exception, *, final: bool) -> None:
        """Lets go of a sink that fails, and keeps why; a later `catch_up` builds it anew.

        What was delivered since the last place was kept is delivered again then.
        """
        self._close()
        text = f"{type(error).__name__}: {error}"
        state = "failed" if final else "following"
        self.now = self._kept = attrs.evolve(self._kept, state=state, error=text)
        self.now.write(self._run_dir, self._name)

    def give_up(self, reason: str) -> None:
        """Keeps why nothing more is delivered; the sink, which does not answer, is let be."""
        kept = attrs.evolve(self._kept, state="failed", error=reason)
        kept.write(self._run_dir, self._name)

    def _open(self) -> None:
        """Builds the sink and begins where it can go on: not behind what is void by now."""
        self._close()
        header = read_header(self._journal)
        if header is None:
            raise ValueError(f"{self._journal} has no header")
        attempts = list(records(self._journal, Attempt))
        self._starts = {each.attempt: each.start_iter for each in attempts}
        for each in attempts:
            for name in _OF_THE_SPEC:
                if (changed := getattr(each, name)) is not None:
                    setattr(header, name, changed)
        run = SinkRun(
            uid=header.uid,
            name=header.name or header.uid,
            folder=sink_folder(self._run_dir, self._name),
        )
        sink = self._sink = self._build(run)
        if sink.from_start:
            self.now = Delivery(config=self.now.config)
        later = (start for number, start in self._starts.items() if number > self.now.attempt)
        iteration = min([self.now.iteration, *later])
        self.now = attrs.evolve(self.now, iteration=iteration, done=iteration, end=self.now.offset)
        sink.restart(iteration)
        sink.header(as_dict(header))
        self._kept_at = time.monotonic()

    def _deliver(self) -> bool:
        """Delivers up to the journal's end; False at an attempt that voids what came before."""
        for start, end, record in records_between(self._journal, self.now.end):
            if isinstance(record, Attempt) and record.attempt not in self._starts:
                self._keep("following")
                return False
            self._take(record, start, end)
            self.now = attrs.evolve(self.now, end=end)
            if time.monotonic() - self._kept_at > _KEEP_SECONDS:
                self._keep("following")
        return True

    def _take(self, record: Record, start: int, end: int) -> None:
        sink = self._sink
        if sink is None:
            return
        match record:
            case End():
                attempt = self.now.attempt if record.attempt is None else record.attempt
                self._place(end, attempt, self.now.done)
            case Payload() if self._is_due(record):
                self._place(start, record.attempt, record.iter)
                sink.payload(as_dict(record))
                self.now = attrs.evolve(self.now, done=record.iter + 1)
            case Histogram() if self._is_due(record):
                sink.histogram(as_dict(record))
            case Standings() if self._is_due(record):
                sink.standings(as_dict(record))
            case _:
                pass

    def _place(self, offset: int, attempt: int, iteration: int) -> None:
        self.now = attrs.evolve(self.now, offset=offset, attempt=attempt, iteration=iteration)

    def _is_due(self, record: Payload | Histogram | Standings) -> bool:
        return record.iter >= self.now.iteration and is_live(record, self._starts)

    def _keep(self, state: Literal["following", "delivered"]) -> None:
        if self._sink is not None:
            self._sink.flush()
        self.now = self._kept = attrs.evolve(self.now, state=state, error=None)
        self.now.write(self._run_dir, self._name)
        self._kept_at = time.monotonic()

    def _close(self) -> None:
        """Closes a sink of which nothing is expected any more: what it raises changes nothing."""
        sink, self._sink = self._sink, None
        with suppress(Exception):
            if sink is not None:
                sink.close()
