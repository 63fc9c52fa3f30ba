"""Write samples of the rows that an iteration trains on, without changing the iteration.

The games are played once more before the iteration is dispatched: from the state that it starts
with, under its own keys, by the programs of a stepped iteration. On a CPU those programs give the
bits of the iteration's program, so the rows are exactly the training rows; on other devices the
last bits of a float may differ, and the dump says so.

Axis letters: T steps, N lanes of a collector, K lanes picked, A actions.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpot.algorithms.base import Batch, Rollout
from jaxpot.algorithms.losses import mask_illegal
from jaxpot.algorithms.minibatches import by_lane
from jaxpot.errors import UserError
from jaxpot.games.base import Describing
from jaxpot.loop.attempt import Attempt, HostFunction, Row
from jaxpot.loop.context import Context, network_variables
from jaxpot.loop.graph import Regime
from jaxpot.loop.lower import group_inputs, start_values
from jaxpot.loop.phase import Cadence, Phase
from jaxpot.loop.phases.collect import rollout_value
from jaxpot.loop.plan import SAMPLES, batch_groups
from jaxpot.models.base import Variables
from jaxpot.models.memory import of_seat
from jaxpot.spec import Debug, Experiment
from jaxpot.store.samples import write_samples

_FORMAT = 1
_RENAMED = {"target": "return"}  # what people call the target of the value


def phases(experiment: Experiment) -> Iterator[Phase]:
    if experiment.debug is not None:
        yield Phase(
            name=SAMPLES,
            where="host",
            cadence=Cadence(every=experiment.debug.every),
            host=build,
            doc="Plays the iteration's games once more, on the side, and writes samples of their "
            "rows.",
        )


def build(attempt: Attempt, phase: Phase) -> HostFunction:
    debug = attempt.context.experiment.debug
    if debug is None:
        raise UserError("the graph writes samples, and the experiment has no [debug]")
    sampler = Sampler(debug, attempt)

    def run(row: Row) -> None:
        with attempt.clock.spending("debug"):
            sampler.dump(row.iteration, row.regime)

    return run


class Sampler:
    """Writes one file of samples an iteration; a failure to write is a warning, not an error."""

    def __init__(self, config: Debug, attempt: Attempt) -> None:
        self._config = config
        self._attempt = attempt
        self._warned: set[str] = set()

    def dump(self, iteration: int, regime: Regime) -> None:
        names = [phase.collects for phase in regime.phases if phase.collects]
        picked = jax.device_get(self._pick(names, regime))
        head = {
            "format": _FORMAT,
            "iteration": iteration,
            "attempt": self._attempt.recorder.attempt,
            "exact": jax.default_backend() == "cpu",
        }
        share = -(-self._config.samples // len(picked))
        samples = [
            row
            for name, data in zip(names, picked, strict=True)
            for row in self._rows(name, data, share)
        ]
        try:
            write_samples(
                self._attempt.folder,
                head,
                samples[: self._config.samples],
                keep=self._config.keep_last,
            )
        except OSError as error:
            self._warn("samples are not written", error)

    def _pick(self, collectors: Sequence[str], regime: Regime) -> list[dict[str, Any]]:
        attempt, count = self._attempt, self._config.samples
        values = start_values(attempt.state, attempt.root_key)
        groups = batch_groups(regime)
        steps = attempt.programs.steps(regime)[: len(groups)]
        for (_, program), (_, phases) in zip(steps, groups, strict=True):
            writes, _ = program(group_inputs(phases, values))
            values.update(writes)

        def samples(rollouts: list[Rollout], batch: Batch, variables: Variables) -> list[Any]:
            return pick_samples(attempt.context, rollouts, batch, variables, count=count)

        program = attempt.programs.named(f"{SAMPLES}[{regime.name}]", lambda: samples)
        rollouts = [values[rollout_value(name)] for name in collectors]
        return program(rollouts, values["batch"], network_variables(values))

    def _rows(self, collector: str, data: dict[str, Any], most: int) -> Iterator[dict[str, Any]]:
        """Yield the first games of a collector, lane by lane: at most `most` rows.

        A lane's first game may have begun, and its last one may end, in another iteration. A game
        that is longer than `most` is cut.
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
        if not trained:  # the opponent moved, and the rest of a row belongs to the agent
            return row
        more = rows.extras | {_RENAMED.get(name, name): x for name, x in rows.targets.items()}
        return {
            **row,
            "probabilities": _plain(data["probabilities"][step, place][legal]),
            **{name: _plain(value) for name, value in more.items()},
        }

    def _describe(self, observation: np.ndarray) -> str | None:
        if not isinstance(self._attempt.context.env, Describing):
            return None
        try:
            return self._attempt.context.env.describe(observation)
        # A user's code may raise anything, and a run should not end over a drawing.
        except Exception as error:
            self._warn("an observation is not described", error)
            return None

    def _warn(self, what: str, error: Exception) -> None:
        if what not in self._warned:
            self._warned.add(what)
            self._attempt.recorder.warn(f"{what}: {type(error).__name__}: {error}")


def pick_samples(
    context: Context,
    rollouts: Sequence[Rollout],
    batch: Batch,
    variables: Variables,
    *,
    count: int,
) -> list[dict[str, Any]]:
    """Return, of each collector, rows of the batch and what that does not say: `[T, K, ...]`.

    Args:
        context: The parts.
        rollouts: What the collectors gave, in the order in which they are in the batch.
        batch: All rows.
        variables: Those that the agent played with.
        count: Rows that are wanted in all; K lanes have at least each collector's share.
    """
    picked: list[dict[str, Any]] = []
    start = 0
    for rollout in rollouts:
        steps, lanes = rollout.action.shape
        wanted = -(-count // len(rollouts))
        taken = min(lanes, -(-wanted // steps))
        # Spread over the lanes: the agent moves first in some, and opponents have lanes each.
        lane = jnp.arange(taken) * (lanes // taken)

        whole = by_lane(batch, start=start, steps=steps, lanes=lanes)
        rows = jax.tree.map(lambda x, lane=lane: x[:, lane], whole)
        start += steps * lanes
        picked.append(
            {
                "rows": rows,
                "lane": lane,
                "probabilities": _probabilities(context, variables, rollout, lane),
                "seat": rollout.seat[:, lane],
                "ply": rollout.length[:, lane],
                "reward": rollout.reward[:, lane],
                "done": rollout.done[:, lane],
                "trained": rollout.trained[:, lane],
            }
        )
    return picked


def _probabilities(context: Context, variables: Variables, rollout: Rollout, lane: Array) -> Array:
    """Return the network's policy over the legal actions: `[T, K, A]` float32."""

    def picked(x: Array) -> Array:
        return x[:, lane].reshape(-1, *x.shape[2:])

    observation, legal, memory, seat = jax.tree.map(
        picked, (rollout.observation, rollout.legal_action_mask, rollout.memory, rollout.seat)
    )
    carry = of_seat(memory, seat)
    outputs, _ = context.network.step(variables, observation, carry)
    policy = jax.nn.softmax(mask_illegal(outputs.logits, legal))
    return policy.reshape(-1, lane.size, policy.shape[-1])


def _games(done: np.ndarray) -> list[range]:
    """Cut a lane's steps where games end; the last one may be cut by the rollout."""
    ends = [*(np.flatnonzero(done) + 1).tolist(), len(done)]
    starts = [0, *ends[:-1]]
    return [range(start, end) for start, end in zip(starts, ends, strict=True) if start < end]


def _observed(observation: Any) -> Any:
    if isinstance(observation, Mapping):
        return {name: _observed(each) for name, each in observation.items()}
    return _plain(observation)


def _plain(value: Any) -> Any:
    """Return an array as lists of numbers, a float as the shortest that reads back the same."""
    array = np.asarray(value)
    if array.dtype == np.float32:
        numbers = [float(str(x)) for x in array.ravel()]
        return np.reshape(numbers, array.shape).tolist()
    if array.dtype == np.bool_ and array.ndim:
        return array.astype(int).tolist()
    return array.tolist()
