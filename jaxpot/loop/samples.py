"""Writes samples of what an iteration trains on, without touching what it does.

The iteration is collected once more, on the side, before it runs: from the state that it starts
with, under its own keys, by the programs of a stepped iteration. On a CPU those give the bits of
the iteration's program, so the rows are the very rows that are trained on; on other devices the
last bits of a float may differ, and the dump says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxpot.games.base import Describing, Environment
from jaxpot.loop import Regime
from jaxpot.loop.lowering import start_values
from jaxpot.loop.plan import BATCH, batch_groups
from jaxpot.loop.programs import Programs, group_inputs
from jaxpot.loop.recorder import Recorder
from jaxpot.loop.state import NETWORK, State
from jaxpot.spec import Debug
from jaxpot.store.samples import write_samples

_FORMAT = 1
_ROLLOUT = "rollout."
_RENAMED = {"target": "return"}  # what the value is trained towards, as people call it


class Sampler:
    """Dumps samples at its cadence; what keeps it from that is a warning, never an end."""

    def __init__(
        self,
        config: Debug,
        env: Environment[Any],
        programs: Programs,
        recorder: Recorder,
        folder: Path,
    ) -> None:
        self._config = config
        self._env = env
        self._programs = programs
        self._recorder = recorder
        self._folder = folder
        self._warned: set[str] = set()

    def fires(self, iteration: int) -> bool:
        """Says whether there is a dump of `iteration`."""
        return (iteration + 1) % self._config.every == 0

    def dump(self, iteration: int, regime: Regime, state: State, root_key: Any) -> None:
        """Writes the samples of the iteration that is about to run."""
        names = [name for name in _collectors(regime) if name in regime.writes]
        picked = jax.device_get(self._pick(names, regime, state, root_key))
        head = {
            "format": _FORMAT,
            "iteration": iteration,
            "attempt": self._recorder.attempt,
            "exact": jax.default_backend() == "cpu",
        }
        share = -(-self._config.samples // len(picked))
        samples = [
            row
            for name, data in zip(names, picked, strict=True)
            for row in self._rows(name.removeprefix(_ROLLOUT), data, share)
        ]
        try:
            write_samples(
                self._folder,
                head,
                samples[: self._config.samples],
                keep=self._config.keep_last,
            )
        except OSError as error:
            self._warn("samples are not written", error)

    def _pick(
        self, rollouts: Sequence[str], regime: Regime, state: State, root_key: Any
    ) -> list[dict[str, Any]]:
        values = start_values(state, root_key)
        groups = batch_groups(regime)
        steps = self._programs.steps(regime)[: len(groups)]
        for (_, program), (_, phases) in zip(steps, groups, strict=True):
            writes, _ = program(group_inputs(phases, values))
            values.update(writes)
        network = {name: values[name] for name in NETWORK}
        program = self._programs.samples(regime, self._config.samples)
        return program([values[name] for name in rollouts], values["batch"], network)

    def _rows(self, collector: str, data: dict[str, Any], most: int) -> Iterator[dict[str, Any]]:
        """Yields the first games of a collector, lane by lane: `most` rows at most.

        A lane's first game may have begun, and its last one may end, in another iteration.

        A game that is longer than that by itself is cut.
        """
        left = most
        for place, lane in enumerate(data["lane"].tolist()):
            for number, game in enumerate(_games(data["done"][:, place])):
                if len(game) > left and left < most:
                    return
                for step in game[:left]:
                    where = {"collector": collector, "lane": lane, "game": number, "step": step}
                    yield where | self._row(data, step, place)
                left -= len(game[:left])

    def _row(self, data: dict[str, Any], step: int, place: int) -> dict[str, Any]:
        rows = jax.tree.map(lambda x: x[step, place], data["rows"])
        legal = np.flatnonzero(rows.legal_action_mask)
        trained = bool(data["trained"][step, place])
        row = {
            "ply": _plain(data["ply"][step, place]),
            "seat": _plain(data["seat"][step, place]),
            "observation": _observed(rows.observation),
            "board": self._describe(rows.observation),
            "legal_actions": legal.tolist(),
            "action": _plain(rows.action),
            "reward": _plain(data["reward"][step, place]),
            "done": _plain(data["done"][step, place]),
            "trained": trained,
            "valid": _plain(rows.valid),
        }
        if not trained:  # the opponent moved: the rest is the agent's, who did not
            return row
        more = rows.extras | {_RENAMED.get(name, name): x for name, x in rows.targets.items()}
        return {
            **row,
            "probabilities": _plain(data["probabilities"][step, place][legal]),
            **{name: _plain(value) for name, value in more.items()},
        }

    def _describe(self, observation: np.ndarray) -> str | None:
        if not isinstance(self._env, Describing):
            return None
        try:
            return self._env.describe(observation)
        # A user's own code may raise anything, and a drawing is worth no run.
        except Exception as error:
            self._warn("an observation is not described", error)
            return None

    def _warn(self, what: str, error: Exception) -> None:
        if what not in self._warned:
            self._warned.add(what)
            self._recorder.warn(f"{what}: {type(error).__name__}: {error}")


def _collectors(regime: Regime) -> tuple[str, ...]:
    """Returns the rollouts that there may be, in the order in which the batch has them."""
    return next(phase.reads_if_present for phase in regime.phases if phase.name == BATCH)


def _games(done: np.ndarray) -> list[range]:
    """Cuts a lane's steps where games end; the last one may be cut by the rollout."""
    ends = [*(np.flatnonzero(done) + 1).tolist(), len(done)]
    starts = [0, *ends[:-1]]
    return [range(start, end) for start, end in zip(starts, ends, strict=True) if start < end]


def _observed(observation: Any) -> Any:
    """Returns an observation as lists of numbers, under its names where it has several arrays."""
    if isinstance(observation, Mapping):
        return {name: _observed(each) for name, each in observation.items()}
    return _plain(observation)


def _plain(value: Any) -> Any:
    """Returns an array as lists of numbers, a float as the shortest that reads back the same."""
    array = np.asarray(value)
    if array.dtype == np.float32:
        numbers = [float(str(x)) for x in array.ravel()]
        return np.reshape(numbers, array.shape).tolist()
    if array.dtype == np.bool_ and array.ndim:
        return array.astype(int).tolist()
    return array.tolist()
