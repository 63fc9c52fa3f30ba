"""The rows that are kept of the last iterations: which, for how long, and in what room."""

import dataclasses
from functools import partial
from pathlib import Path

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.algorithms import alphazero
from jaxpot.loop.collect import rollout, rollout_groups
from jaxpot.loop.context import build_context
from jaxpot.loop.games import no_games
from jaxpot.loop.phases import compile_graph
from jaxpot.loop.phases.concatenate_batches import build as concatenate_batches
from jaxpot.loop.phases.replay import build as replay
from jaxpot.loop.phases.replay import init_replay, kept_rows
from jaxpot.loop.run import resume
from jaxpot.models.base import Variables
from tests.games.bits import NUM_VIEWS, Bits
from tests.loop.running import rows, trace, train
from tests.loop.test_games import RandomMoves, Table
from tests.tiny import tiny_experiment

KEPT, STEPS, SELFPLAY, RANDOM = 3, 5, 4, 2
ROOM = STEPS * (SELFPLAY + RANDOM)


@pytest.fixture(scope="module")
def experiment():
    absent = dict.fromkeys(("num_epochs", "batch_size"))
    search = {"kind": "alphazero", "num_simulations": 2, "batch_size": 8}
    collect = {"selfplay": {"num_envs": SELFPLAY}, "random": {"num_envs": RANDOM, "until": 2}}
    return tiny_experiment(
        overrides={
            "algorithm": absent | search | {"replay_iterations": KEPT},
            "collect": {"num_steps": STEPS, **collect},
            "eval": None,
        }
    )


@pytest.fixture(scope="module")
def context(experiment):
    return build_context(experiment, Path())


@pytest.fixture(scope="module")
def empty(context):
    def init():
        values = vars(context.network.init(jax.random.key(0)))
        return init_replay(context, values, jax.random.key(0))

    shapes = jax.eval_shape(init)
    return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)


def test_there_is_room_for_every_collectors_rows_of_each_iteration(empty):
    assert {leaf.shape[:2] for leaf in jax.tree.leaves(empty)} == {(KEPT, ROOM)}
    assert empty.observation.shape == (KEPT, ROOM, 3, 3, 2)
    assert empty.extras["weights"].shape == (KEPT, ROOM, 9)


def test_the_newest_iterations_are_kept_and_nothing_else_counts(context, experiment, empty):
    phase = next(p for p in compile_graph(experiment).phases if p.name == "replay")
    keep = jax.jit(replay(context, phase))
    kept = empty
    for t in range(2 * KEPT + 1):
        rows = ROOM if t < 2 else STEPS * SELFPLAY  # without random games there are fewer

        def row(x, rows=rows, t=t):
            filled = np.full((rows, *x.shape[2:]), 1 if x.dtype == bool else t)
            return jnp.asarray(filled.astype(x.dtype))

        batch = jax.tree.map(row, empty)._replace(
            valid=jnp.arange(rows) % 2 == 0, action=jnp.full(rows, t, jnp.int32)
        )
        values = {"replay": kept, "batch": batch, "iteration": jnp.int32(t)}
        kept = keep(values)[0]["replay"]
        flat = jax.device_get(kept_rows(kept))
        assert flat.valid.shape == (KEPT * ROOM,)
        counted = flat.action[flat.valid]
        expected = range(max(0, t - KEPT + 1), t + 1)
        of = {i: (ROOM if i < 2 else STEPS * SELFPLAY) // 2 for i in expected}
        assert {int(i): int((counted == i).sum()) for i in np.unique(counted)} == of


def test_the_graph_trains_on_what_is_kept(experiment):
    graph = compile_graph(experiment)
    training = next(phase for phase in graph.phases if phase.name == "training")
    assert "replay" in training.reads
    assert "batch" not in training.reads
    field = next(field for field in graph.fields if field.name == "replay")
    assert field.digested
    assert field.guarded


class Uneven(Bits):
    """Two bits of 1 at the start end the game at once, so that lanes fall out of step."""

    def step(self, state, action, key):
        after = super().step(state, action, key)
        early = (after.bits[0] == 1) & (after.bits[1] == 1)
        return dataclasses.replace(after, terminated=after.terminated | early)


class Learner(RandomMoves):
    """Moves at random; its targets are AlphaZero's."""

    def __init__(self, config, game):
        right = alphazero.build(config, env=game, network=Table(), optimizer=None)
        self.targets, self.settle = right.targets, right.settle


ON = (
    "selfplay random",
    "selfplay random league",
    "selfplay random league",
    "selfplay",
    "selfplay league",
    "selfplay random league",
    "selfplay league",
    "selfplay random league",
    "selfplay random league",
)
"""Which collectors are on, iteration by iteration."""
OPPONENTS = ((0, 1), (0, 1), (0, 1), (0, 1), (0, 2), (0, 2), (3, 2), (3, 2), (2, 3))
"""Whom the league's two groups of lanes meet."""


def late_experiment(num_steps):
    search = {"kind": "alphazero", "num_simulations": 2, "batch_size": 8, "num_epochs": None}
    return tiny_experiment(
        overrides={
            "algorithm": search | {"replay_iterations": KEPT},
            "collect": {
                "num_steps": num_steps,
                "selfplay": {"num_envs": 5},
                "random": {"num_envs": 4},
                "league": {"num_envs": 8},
            },
            "league": {"size": 2, "add_every": 2, "base_unit": 4},
            "eval": None,
        }
    )


def plain_outcome(played, name, born, step, lane):
    """Walks on from a row through all that has been played since, as a person would.

    Returns what the seat was paid until the game ended or was given up, and whether it ended.
    """
    seat, total = played[born][name].seat[step, lane], 0.0
    for t in range(born, len(played)):
        if name not in played[t]:
            continue
        rows = played[t][name]
        if t > born and rows.length[0, lane] == 0:
            return total, False
        for at in range(step if t == born else 0, len(rows.done)):
            total += float(rows.reward[at, lane, seat])
            if rows.done[at, lane]:
                return total, True
    return total, False


@pytest.mark.slow
@pytest.mark.parametrize("num_steps", [1, 3])
def test_outcomes_reach_every_kept_row_whose_game_ends_later(num_steps):
    experiment, game = late_experiment(num_steps), Uneven()
    context = attrs.evolve(
        build_context(experiment, Path()),
        env=game,
        network=Table(),
        algorithm=Learner(experiment.algorithm, game),
    )
    graph = compile_graph(experiment)
    join, keep = (
        build(context, graph.phase(name))
        for name, build in (("concatenate_batches", concatenate_batches), ("replay", replay))
    )
    agent, lanes = Variables(jnp.zeros(NUM_VIEWS)), {"selfplay": 5, "random": 4, "league": 8}
    rival = Variables(jnp.zeros((2, NUM_VIEWS)))

    @partial(jax.jit, static_argnames="on")
    def iterate(key, games, kept, t, numbers, on):
        games, seen = dict(games), {}
        keys = dict(zip(lanes, jax.random.split(key, len(lanes)), strict=True))
        for name in on.split():
            if name == "league":
                options = {"groups": 2, "lanes": 4, "numbers": numbers, "games": games[name]}
                played = rollout_groups(context, keys[name], agent, rival, **options)
            else:
                options = {"random": name == "random", "games": games[name]}
                played = rollout(context, keys[name], agent, num_envs=lanes[name], **options)
            games[name], seen[name] = played.games, played.rows
        values = {f"rollout.{name}": rows for name, rows in seen.items()}
        batch = join(values)[0]["batch"]
        kept = keep({**values, "batch": batch, "replay": kept, "iteration": t})[0]["replay"]
        return games, seen, kept

    games = {
        name: no_games(context, number, remembers=name == "league")
        for name, number in lanes.items()
    }
    kept = init_replay(context, vars(agent), jax.random.key(0))
    played, late, never = [], 0, 0
    for t, key in enumerate(jax.random.split(jax.random.key(5), len(ON))):
        numbers = jnp.array(OPPONENTS[t], jnp.int32)
        games, seen, kept = iterate(key, games, kept, jnp.int32(t), numbers, ON[t])
        played.append(jax.device_get(seen))
        for born in range(max(0, t - KEPT + 1), t + 1):
            rows_of = jax.tree.map(lambda x, born=born: np.asarray(x[born % KEPT]), kept)
            expected = [
                (name, step, lane, *plain_outcome(played, name, born, step, lane))
                for name in ON[born].split()
                for step in range(num_steps)
                for lane in range(lanes[name])
            ]
            count = len(expected)
            names, steps, places, targets, known = zip(*expected, strict=True)
            np.testing.assert_array_equal(rows_of.targets["target"][:count], targets)
            np.testing.assert_array_equal(rows_of.targets["target_known"][:count], known)
            trained = [
                played[born][n].trained[s, p] for n, s, p in zip(names, steps, places, strict=True)
            ]
            np.testing.assert_array_equal(rows_of.valid[:count], trained)
            assert not rows_of.valid[count:].any()
            assert not rows_of.awaits[count:].any()
            at_once = [
                played[born][n].done[s:, p].any()
                for n, s, p in zip(names, steps, places, strict=True)
            ]
            late += (np.array(known) & ~np.array(at_once)).sum()
            never += (~np.array(known)).sum()
    assert late > 20, "games end in later iterations"
    assert never > 20, "some end too late, or were given up"


def learner(**changes):
    search = {"kind": "alphazero", "num_simulations": 2, "batch_size": 32, "num_epochs": None}
    search |= {"max_num_considered_actions": 4, "replay_iterations": 4}
    return tiny_experiment(
        overrides={
            "algorithm": search,
            "collect": {"num_steps": 4, "random": {"until": 4}},
            "eval": None,
            "model": {"hidden_dims": [4]},
        },
        **changes,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(learner(), tmp_path_factory.mktemp("whole"))


@pytest.mark.slow
def test_most_rows_of_games_that_rollouts_cut_learn_their_outcome(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(alphazero.AlphaZero, "settle", None)
    without = train(learner(), tmp_path)
    known, cut = ([row["value_known"] for row in rows(run)] for run in (whole, without))
    assert known[0] == cut[0] == 0.0, "four moves end no game"
    assert max(cut) < 0.45
    assert min(known[4:]) > 0.6


@pytest.mark.slow
@pytest.mark.usefixtures("shared_programs")
@pytest.mark.parametrize("stop", [3, 5])
def test_what_kept_rows_wait_for_is_resumed_to_the_bit(whole, tmp_path, stop):
    stopped = train(learner(), tmp_path, iterations=stop)
    resumed = resume(tmp_path, stopped.uid, ingest=False)
    assert trace(resumed) == trace(whole)
    assert resumed.digest == whole.digest
