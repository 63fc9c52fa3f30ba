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
"""What Ctrl-C does to the run that is shown."""

_HISTORY = 512
_MARK_EVERY_S = 0.25
_MARKS = 40

# What an evaluator is judged by: the first of these that it emits, and which way is better.
_JUDGED_BY = (("lost", "min"), ("win_rate", "max"), ("avg_reward", "max"))


class Thinned(Generic[Item]):
    """At most `capacity` items, evenly spaced over all that were appended."""

    def __init__(self, capacity: int = _HISTORY) -> None:
        self._capacity = capacity
        self._stride = 1
        self._seen = 0
        self._items: list[Item] = []

    def append(self, item: Item) -> None:
        """Keeps `item` if its turn has come; when full, drops every second item."""
        if self._seen % self._stride == 0:
            if len(self._items) == self._capacity:
                self._items = self._items[::2]
                self._stride *= 2
            if self._seen % self._stride == 0:
                self._items.append(item)
        self._seen += 1

    def items(self) -> list[Item]:
        """Returns a copy of what was kept, oldest first."""
        return list(self._items)


@attrs.define
class Evaluation:
    """Results of one evaluator so far.

    Attributes:
        name: Its name in the spec, without the `eval_` prefix.
        keys: Its payload keys, relative to its prefix.
        judged_by: The key whose best value is kept; None where it emits none that is known.
        mode: `min` or `max`: which way `judged_by` is better.
        latest: The newest payload that has its results.
        best: The payload in which `judged_by` was best; the earliest of equals.
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
        """What its payload keys start with."""
        return f"eval_{self.name}/"

    @property
    def probe(self) -> str:
        """A payload key that is there whenever its results are."""
        return self.prefix + self.keys[0]

    def take(self, payload: Payload) -> None:
        """Takes a payload that has its results."""
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
        """Learns what to expect."""
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
        """Notes which program is being compiled, and since when."""
        self.compile = (program, self._clock())

    def compiled(self, program: str, seconds: float) -> None:
        """Notes that compiling is over, and keeps its time out of the rate."""
        self.compile = None
        self._marks = ()

    def payload(self, payload: Payload) -> list[Evaluation]:
        """Takes one iteration's payload; returns the evaluators whose results it has."""
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
        """Keeps the newest record of a checkpoint that is whole; returns a warning if it failed."""
        if record.get("state") == "committed":
            self.saved = (record, self._clock())
        if record.get("state") == "failed":
            return f"checkpoint {record.get('iteration')} failed: {record.get('error')}"
        return None

    def standings(self, entries: Sequence[Mapping[str, Any]]) -> str:
        """Keeps what the league holds; returns what is new in it, in words, or nothing.

        The first of a resumed attempt is compared with nothing: it is new as a whole.
        """
        before, now = self.league, Standings(self.done, entries)
        self.league = now
        if before is None and self.info is not None and self.info.start_iter:
            return now.sizes
        news = now.news(before or Standings(self.done))
        return f"{news}; {now.sizes}" if news else ""

    def finished(self, result: RunResult) -> None:
        """Stops the clock."""
        self.compile = None
        self.ended_at = self._clock()
        self.result = result

    def elapsed(self) -> float:
        """Returns seconds since the attempt started, up to its end."""
        return (self._clock() if self.ended_at is None else self.ended_at) - self.started_at

    def since(self, moment: float) -> float:
        """Returns seconds since a moment of this object's clock."""
        return (self._clock() if self.ended_at is None else self.ended_at) - moment

    def rate(self) -> float | None:
        """Returns iterations per second over the last seconds, or None while it is unknown."""
        marks = self._marks
        if len(marks) < 2:
            return None
        return (marks[-1][1] - marks[0][1]) / (marks[-1][0] - marks[0][0])

    def remaining(self) -> float | None:
        """Returns the seconds that are left at the present rate, or None while it is unknown."""
        rate = self.rate()
        if self.info is None or not rate:
            return None
        return (self.info.target_iterations - self.done) / rate

    def last(self, key: str) -> float | None:
        """Returns the newest value of a payload key, or None before there is one."""
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


Entry = Mapping[str, Any]


@attrs.frozen(eq=False)
class Standings:
    """What the league and its archive hold, the strongest first, after `done` iterations."""

    done: int
    entries: Sequence[Entry] = ()

    @property
    def sizes(self) -> str:
        """How many there are of each kind: `8 entries, 12 archived, 2 active`."""
        archived = [entry for entry in self.entries if is_archived(entry)]
        held = len(self.entries) - len(archived)
        parts = [f"{held} {'entry' if held == 1 else 'entries'}"]
        if archived:
            parts.append(f"{len(archived)} archived")
            parts.append(f"{sum(map(is_recalled, archived))} active")
        return ", ".join(parts)

    def news(self, before: Standings) -> str:
        """Says what joined or was recalled since `before`; nothing where nothing did.

        A copy of the agent that is weaker than a full league goes on to the archive at once.
        """
        known = {entry["name"] for entry in before.entries}
        recalled = {entry["name"] for entry in before.entries if is_recalled(entry)}
        told = [
            f"{entry['name']} {'archived' if is_archived(entry) else 'joined'}"
            for entry in self.entries
            if entry["name"] not in known
        ]
        told += [
            f"{entry['name']} recalled"
            for entry in self.entries
            if is_recalled(entry) and entry["name"] not in recalled
        ]
        return ", ".join(told)


def is_archived(entry: Entry) -> bool:
    """Says whether an entry is in the archive."""
    return entry["place"] == "archive"


def is_recalled(entry: Entry) -> bool:
    """Says whether an entry of the archive is played again."""
    return is_archived(entry) and bool(entry["active"])
