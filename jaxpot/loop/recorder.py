"""Completes payloads, appends them to the journal and shows them to the observer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxpot.journal import Checkpoint, Digests, End, Event, Histogram, Journal, Payload, Standings
from jaxpot.journal.records import Standing
from jaxpot.loop.digest import to_hex
from jaxpot.loop.graph import PhaseGraph
from jaxpot.loop.observer import Observer

CUMULATIVE = {"num_rollouts": "iteration/rollouts", "num_episodes": "iteration/episodes"}


class Recorder:
    """Turns what iterations leave into payload rows, each complete and as declared."""

    def __init__(
        self,
        graph: PhaseGraph,
        journal: Journal,
        observer: Observer,
        *,
        attempt: int,
        counters: Mapping[str, int],
        last: Mapping[str, Any],
        digest: str,
        checkpoint: str | None,
        longest_game: int | None = None,
    ) -> None:
        """Start from what an attempt starts from.

        Args:
            graph: The graph, whose payload keys they are.
            journal: Where records go.
            observer: Who is shown them.
            attempt: The attempt's number.
            counters: Cumulative counts so far.
            last: Each key's last value so far.
            digest: The state's.
            checkpoint: The newest checkpoint, relative to the runs directory.
            longest_game: Iterations in which the longest game is played; one warning follows when
                as many have ended no game. None for no such warning.
        """
        self._journal = journal
        self._observer = observer
        self.attempt = attempt
        self._keys = graph.keys
        self._always = frozenset(
            key.name
            for key in graph.keys
            if key.every == 1 and not key.start and key.until is None and key.when is None
        )
        self._sometimes = [key for key in graph.keys if key.name not in self._always]
        self.counters = dict(counters)
        self.last = dict(last)
        self.newest: Mapping[str, Any] = {}
        self.digest = digest
        self.checkpoint = checkpoint
        self._longest_game = longest_game
        self._without_end = 0

    @property
    def done(self) -> int:
        """Iterations recorded in all."""
        return self.last.get("iter", -1) + 1

    def iteration(
        self,
        iteration: int,
        metrics: dict[str, Any],
        digest: np.ndarray,
        *,
        seconds: float,
        timings: dict[str, float],
        conditions: frozenset[str] = frozenset(),
    ) -> None:
        """Complete an iteration's payload, advances the cumulative counts, and appends it.

        Args:
            iteration: Its number.
            metrics: What its programs emitted.
            digest: The state's, `[2]` uint32.
            seconds: How long it took.
            timings: Further times by key.
            conditions: Those that held, on which some keys depend.

        Raises:
            RuntimeError: A key is missing or undeclared.
        """
        counters = {
            total: self.counters.get(total, 0) + metrics[addend]
            for total, addend in CUMULATIVE.items()
        }
        values = {
            "iter": iteration,
            **counters,
            **metrics,
            "iteration/sps": metrics["iteration/num_samples"] / seconds,
            "timings/total": seconds,
            **timings,
        }
        expected = self._always | {
            key.name
            for key in self._sometimes
            if key.cadence.fires(iteration) and (key.when is None or key.when in conditions)
        }
        if values.keys() != expected:
            wrong = sorted(values.keys() ^ expected)
            raise RuntimeError(f"iteration {iteration}: undeclared or missing keys: {wrong}")
        text = to_hex(digest)
        self._journal.append(
            Payload(attempt=self.attempt, iter=iteration, values=values, digest=text)
        )
        self.digest, self.counters = text, counters
        self.newest = values
        self.last.update(values)
        self._observer.payload(values)
        self._watch_for_ends(values["iteration/episodes"])

    def _watch_for_ends(self, episodes: int) -> None:
        if self._longest_game is None:
            return
        self._without_end = 0 if episodes else self._without_end + 1
        if self._without_end >= self._longest_game:
            self.warn(
                f"no game has ended in the last {self._without_end} iterations, in which the "
                "longest one would have been over: nothing is learned from how games end. Raise "
                'collect.num_steps, or set collect.start = "carried"; of a game of your own, see '
                "that it ends within its max_steps"
            )
            self._longest_game = None

    def digests(self, iteration: int, scope: str, values: Mapping[str, np.ndarray]) -> None:
        """Append the digests of the state's leaves or of the phases' outputs."""
        written = {name: to_hex(digest) for name, digest in values.items()}
        self._journal.append(
            Digests(attempt=self.attempt, iter=iteration, scope=scope, values=written)
        )

    def histogram(self, iteration: int, name: str, counts: np.ndarray) -> None:
        """Append a histogram."""
        self._journal.append(
            Histogram(attempt=self.attempt, iter=iteration, name=name, counts=counts.tolist())
        )

    def standings(self, iteration: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append the league's standings and shows them."""
        entries = [Standing(**row) for row in rows]
        self._journal.append(Standings(attempt=self.attempt, iter=iteration, standings=entries))
        self.show_standings(iteration, rows)

    def show_standings(self, iteration: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show the league's standings."""
        self._observer.standings(iteration, rows)

    def event(self, name: str, payload: Mapping[str, Any], *, iteration: int | None = None) -> None:
        """Append an event."""
        self._journal.append(
            Event(attempt=self.attempt, iter=iteration, name=name, payload=dict(payload))
        )

    def saved(self, record: Mapping[str, Any]) -> None:
        """Record a stage of a save; called from the writer's thread."""
        self._journal.append(Checkpoint.of(record, attempt=self.attempt))
        if record["state"] == "committed" and record["type"] != "best":
            self.checkpoint = record["path"]
        self._observer.checkpoint(record)

    def warn(self, text: str) -> None:
        """Record a warning and shows it."""
        self.event("warning", {"text": text})
        self._observer.warning(text)

    def show_warning(self, text: str) -> None:
        """Show a warning without recording it."""
        self._observer.warning(text)

    def compile(self, program: str, seconds: float | None) -> None:
        """Show that a program is about to compile (None), or record that it has compiled."""
        if seconds is None:
            self._observer.compiling(program)
            return
        self.event("compile", {"program": program, "seconds": seconds})
        self._observer.compiled(program, seconds)

    def end(self, *, status: str, reason: str, iterations: int) -> None:
        """Append the end of the attempt."""
        self._journal.append(
            End(
                attempt=self.attempt,
                status=status,
                exit_reason=reason,
                iterations=iterations,
                digest=self.digest,
            )
        )
