"""Replay a run's journal to an observer: how a display shows another process's run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from jaxpot.loop.observer import Observer, RunInfo, RunResult
from jaxpot.store.history import read_header, records, records_between
from jaxpot.store.journal import JOURNAL_NAME
from jaxpot.trackers.base import NOT_FINITE

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
        header = read_header(self._path) or {}
        heads = list(records(self._path, kinds=("attempt", "keys")))
        attempts = [each for each in heads if each["kind"] == "attempt"]
        if not attempts:
            return False
        newest, last = attempts[-1], heads[-1]
        keys = last["keys"] if last["kind"] == "keys" else []
        self._starts = {each["attempt"]: each["start_iter"] for each in attempts}
        changed = [each["spec"] for each in attempts if isinstance(each.get("spec"), dict)]
        spec = (changed or [header.get("spec") or {}])[-1]
        self._info = info_of(self._folder, header, newest, keys, spec)
        self._done = newest["start_iter"]
        self._clock.moment = _moment(newest)
        self._observer.started(self._info)
        self._position = max(0, self._path.stat().st_size - _SHOWN_BYTES)
        if self._position:
            self._position = _line_after(self._path, self._position)
        self.follow()
        return True

    def follow(self) -> bool:
        """Replay new records; stop with False where a further attempt begins."""
        for _, end, record in records_between(self._path, self._position):
            if record["kind"] == "attempt" and record["attempt"] not in self._starts:
                return False
            self._position = end
            self._clock.moment = _moment(record)
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

    def _take(self, record: Mapping[str, Any]) -> None:
        match record["kind"]:
            case "payload":
                self._payload(record)
            case "checkpoint":
                self._saved(record)
            case "standings" if self._counts(record) and is_standings(record.get("standings")):
                self._observer.standings(record["iter"], record["standings"])
            case "event" if self._is_newest(record):
                self._event(record["name"], record.get("payload"))
            case "end" if self._is_newest(record):
                iterations = record["iterations"]
                done = self._done if iterations is None else iterations
                reason = str(record.get("exit_reason") or "")
                self._digest = record["digest"] or self._digest
                self._conclude(record["status"] or "failed", reason, done)
            case _:
                pass

    def _payload(self, record: Mapping[str, Any]) -> None:
        values = record["values"]
        words = [value for value in values.values() if isinstance(value, str)]
        if not self._counts(record) or any(word not in NOT_FINITE for word in words):
            return
        numbers = {key: float(x) if isinstance(x, str) else x for key, x in values.items()}
        self._done = record["iter"] + 1
        self._digest = str(record.get("digest") or "")
        self._metrics |= numbers
        self._observer.payload({**numbers, "iter": record["iter"]})

    def _saved(self, record: Mapping[str, Any]) -> None:
        if record["state"] == "committed" and record["type"] != "best":
            self._checkpoint = record["path"]
        self._observer.checkpoint(record)

    def _event(self, name: str, payload: Any) -> None:
        if not isinstance(payload, dict):
            return
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

    def _counts(self, record: Mapping[str, Any]) -> bool:
        """Check that no later attempt did the iteration again."""
        number, iteration = record.get("attempt"), record.get("iter")
        if not isinstance(number, int) or not isinstance(iteration, int):
            return False
        return all(iteration < start for later, start in self._starts.items() if later > number)

    def _is_newest(self, record: Mapping[str, Any]) -> bool:
        return self._info is not None and record.get("attempt") == self._info.attempt

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


def _moment(record: Mapping[str, Any]) -> float | None:
    moment = record.get("time")
    return float(moment) if isinstance(moment, int | float) else None


def _line_after(path: Path, position: int) -> int:
    with path.open("rb") as file:
        file.seek(position)
        file.readline()
        return file.tell()


_ENTRY = {"name": str, "place": str, "score": int | float, "rollouts": int, "active": bool}


@attrs.frozen
class _Expected:
    """The part of an experiment that a display needs."""

    expect: tuple[Expect, ...]


def info_of(
    folder: Path,
    header: Mapping[str, Any],
    attempt: Mapping[str, Any],
    keys: list[Any],
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
    planned = attempt["iterations"]
    target = header.get("iterations") if planned is None else planned
    return RunInfo(
        uid=folder.name,
        name=str(header.get("name", folder.name)),
        run_dir=folder,
        attempt=attempt["attempt"],
        start_iter=attempt["start_iter"],
        target_iterations=max(1, attempt["start_iter"] if target is None else target),
        keys=tuple(_keys(keys)),
        device=str(attempt.get("device_kind") or "an unknown device"),
        nproc=attempt["nproc"],
        experiment=_Expected(_gates(spec)),
    )


def _keys(listed: list[Any]) -> Iterator[PayloadKey]:
    from jaxpot.spec.payload import PayloadKey

    names = {field.name for field in attrs.fields(PayloadKey)}
    for item in listed:
        try:
            yield PayloadKey(**{name: item[name] for name in names & item.keys()})
        except (TypeError, AttributeError):
            continue  # from another jaxpot, or damaged: not shown


def _gates(spec: Mapping[str, Any]) -> tuple[Expect, ...]:
    from jaxpot.spec import SpecError, from_resolved

    try:
        return from_resolved(spec).expect
    except SpecError:
        return ()  # from another jaxpot: its gates are shown when the run ends


def is_standings(entries: Any) -> bool:
    """Check that a record's standings have the fields that a display needs."""
    return isinstance(entries, list) and all(
        isinstance(entry, dict)
        and all(isinstance(entry.get(name), kind) for name, kind in _ENTRY.items())
        for entry in entries
    )
