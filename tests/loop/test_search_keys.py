"""The keys below the stream `search` are the documented ones, for every use."""

from pathlib import Path

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.algorithms.base import Decision
from jaxpot.games import uniform_legal_action
from jaxpot.loop.collect import rollout, rollout_groups
from jaxpot.loop.context import build_context
from jaxpot.loop.phases import compile_graph
from jaxpot.loop.phases.collect import build
from jaxpot.loop.streams import stream_key
from jaxpot.models.base import Variables
from tests.tiny import tiny_experiment

LANES, STEPS, GROUPS = 2, 5, 3


def words(key):
    return np.asarray(jax.random.key_data(key))


class Spy:
    """Plays at random, and records the key that it is given."""

    off_policy = True  # so that what an opponent records is kept too

    def act(self, variables, view, key):
        del variables
        action = uniform_legal_action(view.legal_action_mask, key)
        reported = jnp.tile(jax.random.key_data(jax.random.clone(key)), (len(action), 1))
        return Decision(action, {"key": reported}, view.carry)

    act_as_opponent = act


@pytest.fixture(scope="module")
def context():
    experiment = tiny_experiment(overrides={"eval": None, "collect": {"num_steps": STEPS}})
    return attrs.evolve(build_context(experiment, Path()), algorithm=Spy())


def test_a_collectors_decisions_are_drawn_from_its_search_key(context):
    network = Variables({})
    valued = attrs.evolve(context, network=Blank())

    @jax.jit
    def alone(key, search_key):
        options = {"num_envs": LANES, "opponent": network, "search_key": search_key}
        return rollout(valued, key, Variables({}), **options)[0]

    @jax.jit
    def grouped(key, search_key):
        options = {"groups": GROUPS, "lanes": LANES, "search_key": search_key}
        options["numbers"] = jnp.arange(GROUPS)
        networks = Variables({"x": jnp.zeros(GROUPS)})
        return rollout_groups(valued, key, Variables({}), networks, **options)[0]

    key, search_key = jax.random.key(1), jax.random.key(2)
    rows = jax.device_get(alone(key, search_key))
    for t, each in enumerate(jax.random.split(search_key, STEPS)):
        act_key, network_key = jax.random.split(each)
        assert (rows.extras["key"][t] == words(act_key)).all()
        assert (rows.behaviour["key"][t] == words(network_key)).all()

    rows = jax.device_get(grouped(key, search_key))
    for g, group_key in enumerate(jax.random.split(search_key, GROUPS)):
        mine = slice(g * LANES, (g + 1) * LANES)
        for t, each in enumerate(jax.random.split(group_key, STEPS)):
            act_key, network_key = jax.random.split(each)
            assert (rows.extras["key"][t, mine] == words(act_key)).all()
            assert (rows.behaviour["key"][t, mine] == words(network_key)).all()


class Blank:
    """A network that says nothing, and that every position is worth nothing."""

    recurrent = False

    def initial_carry(self, batch):
        del batch
        return ()

    def step(self, variables, observation, carry):
        del variables
        rows = len(observation)
        return type("Outputs", (), {"value": jnp.zeros(rows)}), carry


def test_each_collector_has_a_search_key_of_its_own(context):
    absent = dict.fromkeys(("num_epochs", "batch_size"))
    search = {"kind": "alphazero", "num_simulations": 2, "batch_size": 8}
    learner = tiny_experiment(
        overrides={"algorithm": absent | search, "collect": {"start": "fresh"}}
    )
    phase = next(p for p in compile_graph(learner).phases if p.name == "collect_random")
    assert phase.streams == ("search",)
    stream = stream_key(jax.random.key(7), "search", 3)
    values = {
        "key.random": jax.random.key(0),
        "stream.search": stream,
        "params": {},
        "model_state": {},
    }
    spied = attrs.evolve(context, network=Blank(), experiment=learner)
    writes, _ = jax.jit(lambda v: build(spied, phase)(v))(values)
    (rows,) = jax.device_get(list(writes.values()))
    first = jax.random.split(jax.random.fold_in(stream, 1), STEPS)[0]
    assert (rows.extras["key"][0] == words(jax.random.split(first)[0])).all()
