"""State of a run as the displays know it, filled by the loop's calls.

The loop calls in bursts of thousands, so a call stores references and leaves arithmetic to
readers. Readers may be in another thread: every field is replaced whole, never changed in place,
or is a list that only grows and is copied before it is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs

from jaxpot.loop.observer import RunInfo, RunResult

Payload = Mapping[str, float | int]
Item = TypeVar("Item")

HINT = "Ctrl-C saves a checkpoint and stops"
"""The dashboard's words about Ctrl-C."""

_HISTORY = 512
_MARK_EVERY_S = 0.25
_MARKS = 40

# An evaluator is judged by the first of these keys that it emits, in this direction.
_JUDGED_BY = (("lost", "min"), ("win_rate", "max"), ("avg_reward", "max"))
Entry = Mapping[str, Any]


class Thinned(Generic[Item]):
    """At most `capacity` items, evenly spaced over all that were appended."""

    def __init__(self, capacity: int = _HISTORY) -> None:
        self._capacity = capacity
        self._stride = 1
        self._seen = 0
        self._items: list[Item] = []

    def append(self, item: Item) -> None:
        """Keep `item` if it is due; when full, drop every second item."""
        if self._seen % self._stride == 0:
            if len(self._items) == self._capacity:
                self._items = self._items[::2]
                self._stride *= 2
            if self._seen % self._stride == 0:
                self._items.append(item)
        self._seen += 1

    def items(self) -> list[Item]:
        """Return a copy of the kept items, oldest first."""
        return list(self._items)


@attrs.define
class Evaluation:
    """Results of one evaluator so far.

    Attributes:
        name: Its name in the spec, without the `eval_` prefix.
        keys: Its payload keys, relative to its prefix.
        judged_by: The key whose best value is kept; None where it emits no known one.
        mode: `min` or `max`: the better direction of `judged_by`.
        latest: The newest payload with its results.
        best: The payload with the best `judged_by`; the earliest of equals.
        history: Payloads with its results, thinned.
    """

    name: str
    keys: tuple[str, ...]
    judged_by: str | None
    mode: str
    latest: Payload | None = None
    best: Payload | None = None
    history: Thinned[Payload] = attrs.Factory(Thinned)

    @property
    def prefix(self) -> str:
        return f"eval_{self.name}/"

    @property
    def probe(self) -> str:
        """A payload key that is present whenever the results are."""
        return self.prefix + self.keys[0]

    def take(self, payload: Payload) -> None:
        """Take a payload that has its results."""
        self.latest = payload
        self.history.append(payload)
        if self.judged_by is None:
            return
        key = self.prefix + self.judged_by
        if self.best is None or (
            payload[key] > self.best[key] if self.mode == "max" else payload[key] < self.best[key]
        ):
            self.best = payload


class Progress:
    """State of a run as the displays see it; takes every call of an `Observer`."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, hint: str = HINT) -> None:
        self._clock = clock
        self.hint = hint
        self.info: RunInfo | None = None
        self.result: RunResult | None = None
        self.latest: Payload | None = None
        self.timed: Payload | None = None
        self.done = 0
        self.history: Thinned[Payload] = Thinned()
        self.evaluations: tuple[Evaluation, ...] = ()
        self.compile: tuple[str, float] | None = None
        self.saved: tuple[Mapping[str, Any], float] | None = None
        self.league: Standings | None = None
        self.started_at = clock()
        self.ended_at: float | None = None
        self._marks: tuple[tuple[float, int], ...] = ()
        self._timing_probe: str | None = None
        self._sparse: tuple[str, ...] = ()
        self._last: dict[str, Payload] = {}

    def started(self, info: RunInfo) -> None:
        self.evaluations = _evaluations(tuple(key.name for key in info.keys))
        phases = [k.name for k in info.keys if k.name.startswith("timings/")]
        self._timing_probe = "timings/training" if "timings/training" in phases else None
        gates = {gate.metric for gate in info.experiment.expect}
        sparse = {k.name for k in info.keys if k.every > 1 or k.start > 0 or k.until is not None}
        self._sparse = tuple(sorted(sparse & gates))
        self.done = info.start_iter
        self.started_at = self._clock()
        self.info = info

    def compiling(self, program: str) -> None:
        self.compile = (program, self._clock())

    def compiled(self, program: str, seconds: float) -> None:
        """Forget the rate so far, which includes compiling."""
        self.compile = None
        self._marks = ()

    def payload(self, payload: Payload) -> list[Evaluation]:
        """Take one iteration's payload; return the evaluators whose results it has."""
        self.latest = payload
        self.done = int(payload["iter"]) + 1
        self.history.append(payload)
        now = self._clock()
        if not self._marks or now - self._marks[-1][0] >= _MARK_EVERY_S:
            self._marks = (*self._marks, (now, self.done))[-_MARKS:]
        if self._timing_probe in payload:
            self.timed = payload
        for key in self._sparse:
            if key in payload:
                self._last[key] = payload
        new = [one for one in self.evaluations if one.probe in payload]
        for one in new:
            one.take(payload)
        return new

    def checkpoint(self, record: Mapping[str, Any]) -> str | None:
        """Keep the newest committed checkpoint; return a warning if one failed."""
        if record.get("state") == "committed":
            self.saved = (record, self._clock())
        if record.get("state") == "failed":
            return f"checkpoint {record.get('iteration')} failed: {record.get('error')}"
        return None

    def standings(self, entries: Sequence[Mapping[str, Any]]) -> str:
        """Keep the league's standings; return in words what is new in them, or nothing.

        The first standings of a resumed attempt count as new.
        """
        before, now = self.league, Standings(self.done, entries)
        self.league = now
        if before is None and self.info is not None and self.info.start_iter:
            return now.sizes
        news = now.news(before or Standings(self.done))
        return f"{news}; {now.sizes}" if news else ""

    def finished(self, result: RunResult) -> None:
        self.compile = None
        self.ended_at = self._clock()
        self.result = result

    def elapsed(self) -> float:
        """Return seconds since the attempt started, up to its end."""
        return (self._clock() if self.ended_at is None else self.ended_at) - self.started_at

    def since(self, moment: float) -> float:
        """Return seconds since a reading of this object's clock, up to the run's end."""
        return (self._clock() if self.ended_at is None else self.ended_at) - moment

    def rate(self) -> float | None:
        """Return recent iterations per second, or None while unknown."""
        marks = self._marks
        if len(marks) < 2:
            return None
        return (marks[-1][1] - marks[0][1]) / (marks[-1][0] - marks[0][0])

    def remaining(self) -> float | None:
        """Return the seconds left at the current rate, or None while unknown."""
        rate = self.rate()
        if self.info is None or not rate:
            return None
        return (self.info.target_iterations - self.done) / rate

    def last(self, key: str) -> float | None:
        """Return the newest value of a payload key, or None before there is one."""
        payload = self._last.get(key, self.latest)
        return None if payload is None else payload.get(key)


def _evaluations(keys: tuple[str, ...]) -> tuple[Evaluation, ...]:
    found: dict[str, list[str]] = {}
    for key in keys:
        prefix, slash, rest = key.partition("/")
        if slash and prefix.startswith("eval_"):
            found.setdefault(prefix.removeprefix("eval_"), []).append(rest)
    return tuple(_evaluation(name, tuple(names)) for name, names in found.items())


def _evaluation(name: str, keys: tuple[str, ...]) -> Evaluation:
    for key, mode in _JUDGED_BY:
        if key in keys:
            return Evaluation(name=name, keys=keys, judged_by=key, mode=mode)
    return Evaluation(name=name, keys=keys, judged_by=None, mode="max")


@attrs.frozen(eq=False)
class Standings:
    """Entries of the league and its archive, the strongest first, after `done` iterations."""

    done: int
    entries: Sequence[Entry] = ()

    @property
    def sizes(self) -> str:
        """The number of entries of each kind: `8 entries, 12 archived, 2 active`."""
        archived = [entry for entry in self.entries if is_archived(entry)]
        held = len(self.entries) - len(archived)
        parts = [f"{held} {'entry' if held == 1 else 'entries'}"]
        if archived:
            parts.append(f"{len(archived)} archived")
            parts.append(f"{sum(map(is_recalled, archived))} active")
        return ", ".join(parts)

    def news(self, before: Standings) -> str:
        """Say which entries joined or were recalled since `before`; empty where none was.

        A copy of the agent that is weaker than a full league goes to the archive at once.
        """
        known = {entry["name"] for entry in before.entries}
        recalled = {entry["name"] for entry in before.entries if is_recalled(entry)}
        news = [
            f"{entry['name']} {'archived' if is_archived(entry) else 'joined'}"
            for entry in self.entries
            if entry["name"] not in known
        ]
        news += [
            f"{entry['name']} recalled"
            for entry in self.entries
            if is_recalled(entry) and entry["name"] not in recalled
        ]
        return ", ".join(news)


def is_archived(entry: Entry) -> bool:
    return entry["place"] == "archive"


def is_recalled(entry: Entry) -> bool:
    """Check whether an archived entry is played against again."""
    return is_archived(entry) and bool(entry["active"])
