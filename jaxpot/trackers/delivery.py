"""Deliver a run's records to one sink, each exactly once as far as the sink can tell.

A file records how far a sink has come: a payload before which everything is safe. After
anything goes wrong, the sink is built again, forgets that payload's iteration and all later ones,
and gets them again. So whenever the process dies, a record that was delivered but not yet known to
be safe is delivered a second time, and still counts once.
"""

from __future__ import annotations

import json
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
from jaxpot.paths import write_file
from jaxpot.store.locking import FileLock
from jaxpot.trackers.base import Sink, SinkRun

FOLDER = "sinks"
"""Folder in the run's folder."""

BUSY = 75
"""Exit status of a process that found another one delivering to its sink."""

_VERSION = 1
_KEEP_SECONDS = 2.0
_DELIVERED = (Payload, Histogram, Standings, End)
_OF_THE_SPEC = ("spec", "spec_toml", "spec_digest", "training_digest")


@attrs.frozen(kw_only=True)
class Delivery:
    """How far one sink has come: the contents of `sinks/NAME.json`.

    Attributes:
        config: The sink's table; when it changes, everything is delivered again.
        offset: Byte of the journal from which everything has to be delivered (again).
        attempt: Number of the attempt that `offset` is in.
        iteration: The first iteration that is delivered from `offset` on.
        done: Number of iterations that the sink has.
        end: Byte of the journal up to which records were delivered.
        state: Still on its way, up to date, or given up.
        error: What keeps it from going on; None when nothing does.
    """

    config: Mapping[str, Any]
    offset: int = 0
    attempt: int = 0
    iteration: int = 0
    done: int = 0
    end: int = 0
    state: Literal["following", "delivered", "failed"] = "following"
    error: str | None = None

    def write(self, run_dir: Path, name: str) -> None:
        """Replace the file of the sink `name`."""
        path = _path(run_dir, name)
        path.parent.mkdir(exist_ok=True)
        said = {"version": _VERSION, **attrs.asdict(self, recurse=False)}
        write_file(path, json.dumps(said).encode(), durable=True)


def read_delivery(run_dir: Path, name: str) -> Delivery | None:
    """Read how far the sink `name` has come; None where no file says it, or a damaged one."""
    try:
        data = json.loads(_path(run_dir, name).read_bytes())
        if data.pop("version") != _VERSION:
            return None
        return Delivery(**data)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def delivery_lock(run_dir: Path, name: str) -> FileLock:
    """Return the lock that keeps two processes from delivering to the sink `name`."""
    path = lock_path(run_dir, name)
    path.parent.mkdir(exist_ok=True)
    return FileLock(path)


def lock_path(run_dir: Path, name: str) -> Path:
    """Return the file of the lock of the sink `name`."""
    return _path(run_dir, name).with_suffix(".lock")


class Deliverer:
    """Deliver the records of one run to one sink.

    Args:
        run_dir: The run's folder.
        name: The sink's name.
        config: The sink's table.
        build: Builds the sink.
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
        """Whether the sink has everything that the journal has."""
        return self.now.state == "delivered" and not any(
            isinstance(record, (*_DELIVERED, Attempt))
            for _, _, record in records_between(self._journal, self.now.end)
        )

    def catch_up(self) -> None:
        """Deliver what is in the journal now; raise whatever the sink raises."""
        if self._sink is None:
            if self.is_done:
                return
            self._open()
        while not self._deliver():
            self._open()
        if self.now != self._kept:
            self._keep("following")

    def finish(self) -> None:
        """Deliver what is left and close the sink; raise whatever the sink raises."""
        self.catch_up()
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.flush()
            sink.close()
            self._keep("delivered")

    def drop(self, error: Exception, *, final: bool) -> None:
        """Close a sink that failed and keep the error; a later `catch_up` builds it again.

        It then gets again what it got since its progress was last kept.
        """
        self._close()
        text = f"{type(error).__name__}: {error}"
        state = "failed" if final else "following"
        self.now = self._kept = attrs.evolve(self._kept, state=state, error=text)
        self.now.write(self._run_dir, self._name)

    def give_up(self, reason: str) -> None:
        """Keep why nothing more is delivered; the sink does not answer and is not called."""
        kept = attrs.evolve(self._kept, state="failed", error=reason)
        kept.write(self._run_dir, self._name)

    def _open(self) -> None:
        """Build the sink, and begin before the first record that is void by now."""
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
            folder=self._run_dir / FOLDER / self._name,
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
        """Deliver to the journal's end; False at an attempt that voids earlier records."""
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
        """Close a sink that is not needed any more, whatever it raises."""
        sink, self._sink = self._sink, None
        with suppress(Exception):
            if sink is not None:
                sink.close()


def _path(run_dir: Path, name: str) -> Path:
    return run_dir / FOLDER / f"{name}.json"
