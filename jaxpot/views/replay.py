"""Replay a run's journal to an observer: how a display shows another process's run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from jaxpot.journal import (
    JOURNAL_NAME,
    Attempt,
    Checkpoint,
    End,
    Event,
    Header,
    Key,
    Keys,
    Payload,
    Record,
    Standings,
    as_dict,
    is_live,
    read_header,
    records,
    records_between,
)
from jaxpot.loop.observer import Observer, RunInfo, RunResult

if TYPE_CHECKING:
    from jaxpot.spec import Expect
    from jaxpot.spec.payload import PayloadKey

# Of a longer journal, only this many of its newest bytes are replayed.
_SHOWN_BYTES = 16 << 20
_EXIT_CODES = {"completed": 0, "stopped": 0, "running": 0, "interrupted": 130}


class JournalClock:
    """The clock of a replay: the time of the current record, or the present."""

    def __init__(self) -> None:
        self.moment: float | None = None

    def __call__(self) -> float:
        """Return seconds since 1970."""
        return time.time() if self.moment is None else self.moment


class Replay:
    """Replay one attempt at a run from its journal.

    Args:
        folder: The run's folder.
        observer: Gets the calls that the loop made.
        clock: The observer's clock, which is set to the time of each record.
    """

    def __init__(self, folder: Path, observer: Observer, clock: JournalClock) -> None:
        self.result: RunResult | None = None
        self._folder = folder
        self._path = folder / JOURNAL_NAME
        self._observer = observer
        self._clock = clock
        self._position = 0
        self._starts: dict[int, int] = {}
        self._info: RunInfo | None = None
        self._done = 0
        self._digest = ""
        self._metrics: dict[str, float | int] = {}
        self._checkpoint: str | None = None
        self._expect: list[dict[str, Any]] = []
        self._time: dict[str, float] = {}

    def begin(self) -> bool:
        """Replay the newest attempt so far; False where none has begun."""
        header = read_header(self._path)
        heads = list(records(self._path, Attempt, Keys))
        attempts = [each for each in heads if isinstance(each, Attempt)]
        if not attempts:
            return False
        newest, last = attempts[-1], heads[-1]
        keys = last.keys if isinstance(last, Keys) else []
        self._starts = {each.attempt: each.start_iter for each in attempts}
        specs = [each.spec for each in (header, *attempts) if each is not None and each.spec]
        spec = specs[-1] if specs else {}
        self._info = info_of(self._folder, header, newest, keys, spec)
        self._done = newest.start_iter
        self._clock.moment = newest.time
        self._observer.started(self._info)
        self._position = max(0, self._path.stat().st_size - _SHOWN_BYTES)
        if self._position:
            self._position = _line_after(self._path, self._position)
        self.follow()
        return True

    def follow(self) -> bool:
        """Replay new records; stop with False where a further attempt begins."""
        for _, end, record in records_between(self._path, self._position):
            if isinstance(record, Attempt) and record.attempt not in self._starts:
                return False
            self._position = end
            self._clock.moment = record.time
            self._take(record)
        self._clock.moment = None
        return True

    def lost(self, reason: str) -> RunResult:
        """End the replay of a run whose process ended without recording an end."""
        return self._conclude("interrupted", reason, self._done)

    @property
    def is_shorter(self) -> bool:
        """Whether the journal shrank, so that it is another one than was read so far."""
        return self._path.stat().st_size < self._position

    def _take(self, record: Record) -> None:
        match record:
            case Payload() if is_live(record, self._starts):
                self._payload(record)
            case Checkpoint():
                self._saved(record)
            case Standings() if is_live(record, self._starts) and is_whole(record):
                self._observer.standings(record.iter, as_dict(record)["standings"])
            case Event() if self._is_newest(record):
                self._event(record.name, record.payload or {})
            case End() if self._is_newest(record):
                done = self._done if record.iterations is None else record.iterations
                self._digest = record.digest or self._digest
                self._conclude(record.status, record.exit_reason or "", done)
            case _:
                pass

    def _payload(self, record: Payload) -> None:
        numbers = {key: float(x) if isinstance(x, str) else x for key, x in record.values.items()}
        self._done = record.iter + 1
        self._digest = record.digest or ""
        self._metrics |= numbers
        self._observer.payload({**numbers, "iter": record.iter})

    def _saved(self, record: Checkpoint) -> None:
        if record.state == "committed" and record.type != "best":
            self._checkpoint = record.path
        self._observer.checkpoint(as_dict(record))

    def _event(self, name: str, payload: dict[str, Any]) -> None:
        match name:
            case "compile":
                seconds = payload.get("seconds")
                if isinstance(seconds, int | float):
                    self._observer.compiled(str(payload.get("program")), seconds)
            case "warning":
                self._observer.warning(str(payload.get("text")))
            case "expect":
                self._expect.append(payload)
            case "time":
                self._time = {k: x for k, x in payload.items() if isinstance(x, int | float)}
            case _:
                pass

    def _is_newest(self, record: Event | End) -> bool:
        return self._info is not None and record.attempt == self._info.attempt

    def _conclude(self, status: str, reason: str, iterations: int) -> RunResult:
        info = self._info
        if info is None:
            raise RuntimeError("a run that has not begun cannot end")
        self.result = RunResult(
            uid=info.uid,
            name=info.name,
            status=status,
            iterations=iterations,
            attempt=info.attempt,
            digest=self._digest,
            metrics=self._metrics,
            checkpoint=self._checkpoint,
            expect=self._expect,
            time=self._time,
            exit_code=_EXIT_CODES.get(status, 1),
            reason=reason,
            run_dir=info.run_dir,
        )
        self._observer.finished(self.result)
        return self.result


def _line_after(path: Path, position: int) -> int:
    with path.open("rb") as file:
        file.seek(position)
        file.readline()
        return file.tell()


@attrs.frozen
class _Expected:
    """The part of an experiment that a display needs."""

    expect: tuple[Expect, ...]


def info_of(
    folder: Path,
    header: Header | None,
    attempt: Attempt,
    keys: list[Key],
    spec: Mapping[str, Any],
) -> RunInfo:
    """Return the facts of an attempt.

    Args:
        folder: The run's folder.
        header: The journal's header.
        attempt: The attempt's record.
        keys: The keys that it declared.
        spec: Its resolved spec.
    """
    target = attempt.iterations
    if target is None and header is not None:
        target = header.iterations
    return RunInfo(
        uid=folder.name,
        name=folder.name if header is None or header.name is None else header.name,
        run_dir=folder,
        attempt=attempt.attempt,
        start_iter=attempt.start_iter,
        target_iterations=max(1, attempt.start_iter if target is None else target),
        keys=tuple(_keys(keys)),
        device=attempt.device_kind or "an unknown device",
        nproc=attempt.nproc,
        experiment=_Expected(_gates(spec)),
    )


def _keys(listed: list[Key]) -> Iterator[PayloadKey]:
    from jaxpot.spec.payload import PayloadKey

    for key in listed:
        try:
            yield PayloadKey(**msgspec.to_builtins(key))
        except TypeError:
            continue  # an older jaxpot declared fewer fields


def _gates(spec: Mapping[str, Any]) -> tuple[Expect, ...]:
    from jaxpot.spec import SpecError, from_resolved

    try:
        return from_resolved(spec).expect
    except SpecError:
        return ()  # from another jaxpot: its gates are shown when the run ends


def is_whole(record: Standings) -> bool:
    """Return whether a display can show the standings: every field of every entry is known."""
    return all(None not in (x.place, x.score, x.rollouts, x.active) for x in record.standings)
