"""The league under an algorithm that searches: each group meets its own searching opponent."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.loop.collect import rollout, rollout_groups
from jaxpot.loop.context import build_context
from tests.tiny import tiny_experiment

LANES, STEPS, GROUPS = 2, 6, 2

pytestmark = pytest.mark.slow


def test_a_group_is_a_rollout_of_its_own_against_its_opponent():
    absent = dict.fromkeys(("num_epochs", "batch_size"))
    learner = {"kind": "alphazero", "num_simulations": 3, "opponent_acting": "search"}
    experiment = tiny_experiment(
        overrides={
            "algorithm": absent | learner | {"batch_size": 8},
            "collect": {"num_steps": STEPS, "league": {"num_envs": GROUPS * LANES}},
            "league": {"size": 2, "add_every": 2, "base_unit": LANES},
            "eval": None,
        }
    )
    context = build_context(experiment, Path())
    agent, *opponents = (context.network.init(jax.random.key(n)) for n in range(GROUPS + 1))

    @jax.jit
    def together(key, search_key):
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *opponents)
        options = {"groups": GROUPS, "lanes": LANES, "search_key": search_key}
        options["numbers"] = jnp.arange(GROUPS)
        return rollout_groups(context, key, agent, stacked, **options)

    @jax.jit
    def lone(key, search_key, opponent):
        options = {"opponent": opponent, "search_key": search_key}
        return rollout(context, key, agent, num_envs=LANES, **options)

    key, search_key = jax.random.key(3), jax.random.key(4)
    rows, standing, _ = jax.device_get(together(key, search_key))
    keys = jax.random.split(key, GROUPS + 1)[1:]
    search_keys = jax.random.split(search_key, GROUPS)
    for g, opponent in enumerate(opponents):
        alone, its, _ = jax.device_get(lone(keys[g], search_keys[g], opponent))
        mine = slice(g * LANES, (g + 1) * LANES)
        np.testing.assert_array_equal(rows.action[:, mine], alone.action)
        np.testing.assert_array_equal(rows.trained[:, mine], alone.trained)
        np.testing.assert_allclose(
            rows.extras["weights"][:, mine], alone.extras["weights"], rtol=1e-4, atol=1e-5
        )
        assert (standing.reward[g], standing.games[g]) == (its.reward, its.games)
    assert not rows.trained.all(), "an opponent's search is not trained on"
    assert standing.games.shape == (GROUPS,)
