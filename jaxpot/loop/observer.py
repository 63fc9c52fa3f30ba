"""The observers of a run: the protocol, the facts that they receive, and a fan-out.

Observers see a run; they never steer it. Nothing that an observer does can reach the traced
program, and one that raises is detached rather than allowed to end the training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import attrs

from jaxpot.spec import Expect, PayloadKey


class Expecting(Protocol):
    """What of an experiment is shown: of a recorded run's, no more may be known."""

    @property
    def expect(self) -> tuple[Expect, ...]:
        """The learning gates."""
        ...


@attrs.frozen(kw_only=True)
class RunInfo:
    """What is known when an attempt starts.

    Attributes:
        uid: The run's identifier.
        name: The spec's name.
        run_dir: Directory of the run, `<runs_dir>/<uid>`.
        attempt: Number of this attempt, from 1.
        start_iter: Iterations that were done before this attempt.
        target_iterations: Iterations in all at which this attempt stops.
        keys: Every payload key that the run will emit.
        device: The device in words, e.g. `cpu` or `NVIDIA H200`.
        nproc: Threads that the CPU backend may use; None where that is not pinned.
        experiment: The experiment that is run, as far as it is shown.
    """

    uid: str
    name: str
    run_dir: Path
    attempt: int
    start_iter: int
    target_iterations: int
    keys: tuple[PayloadKey, ...]
    device: str
    nproc: int | None
    experiment: Expecting


@attrs.frozen(kw_only=True)
class RunResult:
    """How an attempt ended.

    Attributes:
        uid: The run's identifier.
        name: The spec's name.
        status: completed, gate_missed, stopped, failed or interrupted.
        iterations: Iterations done in all, earlier attempts included.
        attempt: Number of this attempt, from 1.
        digest: Digest of the final state, 16 hex digits.
        metrics: Last value of each payload key.
        checkpoint: Newest committed checkpoint, relative to the runs directory.
        expect: One verdict of `jaxpot.store.gates.judge` per gate: metric, value, passed and more.
        time: Seconds of this attempt by what they went on (compile, collect, update, ...).
        exit_code: The process's exit status: 0 done, 1 failed or gate missed, 128 + n interrupted.
        reason: Why it ended, in a sentence.
        run_dir: Directory of the run.
    """

    uid: str
    name: str
    status: str
    iterations: int
    attempt: int
    digest: str
    metrics: dict[str, Any]
    checkpoint: str | None
    expect: list[dict[str, Any]]
    time: dict[str, float]
    exit_code: int
    reason: str
    run_dir: Path


class Observer(Protocol):
    """Someone who watches a run.

    Calls come from the thread that runs the loop, except `checkpoint`, which may come from the
    checkpoint writer's. They must return at once: the loop waits for them.
    """

    def started(self, info: RunInfo) -> None:
        """Take the facts of an attempt, before anything is compiled."""
        ...

    def compiling(self, program: str) -> None:
        """Receive that a program is about to be compiled."""
        ...

    def compiled(self, program: str, seconds: float) -> None:
        """Receive that a program was compiled."""
        ...

    def payload(self, payload: Mapping[str, float | int]) -> None:
        """Take one iteration's complete payload; in order, often in bursts."""
        ...

    def checkpoint(self, record: Mapping[str, Any]) -> None:
        """Take a checkpoint record of the journal (begun, committed, deleted or failed)."""
        ...

    def standings(self, iteration: int, standings: Sequence[Mapping[str, Any]]) -> None:
        """Take what the league and its archive hold, as the journal has it, the strongest first.

        Each has `name`, `place` (league or archive), `score`, `rollouts` and `active`. Comes after
        the payload of the iteration that it follows.
        """
        ...

    def warning(self, text: str) -> None:
        """Take a warning in words."""
        ...

    def finished(self, result: RunResult) -> None:
        """Take the result; the last call."""
        ...


class Observers:
    """Passes every call on to any number of observers, none included.

    An observer that raises is dropped for the rest of the run, the others are warned, and the
    error is kept in `failures` for the caller to report: a closed terminal must not cost anyone
    a training run.
    """

    def __init__(self, *observers: Observer) -> None:
        self._observers: tuple[Observer, ...] = observers
        self.failures: list[tuple[Observer, Exception]] = []

    def started(self, info: RunInfo) -> None:
        """Pass on `Observer.started`."""
        self._each(lambda observer: observer.started(info))

    def compiling(self, program: str) -> None:
        """Pass on `Observer.compiling`."""
        self._each(lambda observer: observer.compiling(program))

    def compiled(self, program: str, seconds: float) -> None:
        """Pass on `Observer.compiled`."""
        self._each(lambda observer: observer.compiled(program, seconds))

    def payload(self, payload: Mapping[str, float | int]) -> None:
        """Pass on `Observer.payload`."""
        self._each(lambda observer: observer.payload(payload))

    def checkpoint(self, record: Mapping[str, Any]) -> None:
        """Pass on `Observer.checkpoint`."""
        self._each(lambda observer: observer.checkpoint(record))

    def standings(self, iteration: int, standings: Sequence[Mapping[str, Any]]) -> None:
        """Pass on `Observer.standings`."""
        self._each(lambda observer: observer.standings(iteration, standings))

    def warning(self, text: str) -> None:
        """Pass on `Observer.warning`."""
        self._each(lambda observer: observer.warning(text))

    def finished(self, result: RunResult) -> None:
        """Pass on `Observer.finished`."""
        self._each(lambda observer: observer.finished(result))

    def _each(self, call: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            try:
                call(observer)
            except Exception as error:
                self._detach(observer, error)

    def _detach(self, observer: Observer, error: Exception) -> None:
        self._observers = tuple(other for other in self._observers if other is not observer)
        self.failures.append((observer, error))
        self.warning(f"{type(observer).__name__} failed and was detached: {error!r}")
