"""Whole leagues, played by the loop's own phases, against the rules in plain Python.

The game is one in which every entry's mean reward is known beforehand, so the model needs to know
nothing of how games are played. Half of a moving average keeps every score exact.
"""

from pathlib import Path

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.evaluators import archive
from jaxpot.league import empty_pool, empty_table, gather
from jaxpot.loop.context import build_context, network_variables
from jaxpot.loop.digest import to_hex
from jaxpot.loop.league import activity_events, add_events, entries
from jaxpot.loop.lower import inputs_of, lower_phase
from jaxpot.loop.phases import compile_graph
from jaxpot.loop.programs import Programs
from tests.league import skill
from tests.league.model import LeagueModel, allocation, weights
from tests.marks import slow_except
from tests.tiny import tiny_experiment

STEPS, UNIT, GAMES = 5, 4, 6
TEMPERATURE, MARGIN = 0.4, 0.125
FINISHED = UNIT * (STEPS // 2)
"""Games that a group finishes: two plies each."""


@attrs.frozen(kw_only=True)
class Setup:
    """A league's sizes and how many groups play each half of it."""

    size: int
    archive_size: int
    groups: int
    archive_groups: int


SETUPS = {
    "one entry": Setup(size=1, archive_size=1, groups=2, archive_groups=1),
    "fewer groups than entries": Setup(size=4, archive_size=2, groups=3, archive_groups=3),
    "more groups than entries": Setup(size=2, archive_size=3, groups=5, archive_groups=2),
}
_LEAGUES = {}


def league_of(name):
    """Builds a league's compiled phases, once."""
    if name not in _LEAGUES:
        _LEAGUES[name] = PlayedLeague(SETUPS[name])
    return _LEAGUES[name]


class PlayedLeague:
    """The loop's phases around a state, without the rest of the loop."""

    def __init__(self, setup):
        self.setup = setup
        experiment = tiny_experiment(
            overrides={
                "collect": {
                    "num_steps": STEPS,
                    "start": "fresh",
                    "random": None,
                    "league": {"num_envs": UNIT * setup.groups},
                    "archive": {"num_envs": UNIT * setup.archive_groups},
                },
                "eval": {
                    "vs_random": None,
                    "tree": None,
                    "old": {"kind": "archive", "every": 1, "num_games": GAMES},
                },
                "league": {
                    "size": setup.size,
                    "archive_size": setup.archive_size,
                    "add_every": 1,
                    "temperature": TEMPERATURE,
                    "score_alpha": 0.5,
                    "base_unit": UNIT,
                    "forgotten_margin": MARGIN,
                },
            }
        )
        env, network = skill.SkillGame(), skill.LevelNetwork()
        context = build_context(experiment, Path("runs"))
        (self.evaluator,) = context.evaluators
        matches = archive.build(
            experiment.eval["old"],
            name=self.evaluator,
            env=env,
            network=network,
            league=experiment.league,
        )
        self.context = attrs.evolve(
            context,
            env=env,
            network=network,
            algorithm=attrs.evolve(context.algorithm, network=network),
            evaluators={self.evaluator: matches},
        )
        self.graph = compile_graph(experiment)
        self.programs = Programs(self.graph, self.context, lambda *_: None)
        self._compiled = {}

    def start(self):
        network = jax.device_put(skill.network(4))
        slots = self.setup.size + self.setup.archive_size
        self.state = {
            **vars(network),
            "league": empty_table(slots),
            "pool": empty_pool(network, slots),
            "iteration": jnp.int32(0),
        }
        self.rng = np.random.default_rng(0)

    @property
    def table(self):
        return kept(self.state["league"])

    def learn(self, level, salt):
        """Trains, in the manner of the loop: into the buffers that the network lay in."""
        live = network_variables(self.state)
        self.state |= vars(_overwrite(live, jax.device_put(skill.network(level, salt))))

    def run(self, name):
        """Runs a collector, or the evaluator; returns what it emits."""
        phase = next(p for p in self.graph.phases if p.name == name)
        if name not in self._compiled:
            self._compiled[name] = jax.jit(lower_phase(phase, self.context))
        key = jax.random.key(int(self.rng.integers(2**31)))
        values = self.state | {
            f"key.{phase.collects}": key,
            "root_key": jax.random.key_data(key),
            "now": self.state["iteration"],
        }
        given = inputs_of(phase, values)
        if phase in self.graph.evaluators:
            given["constants"] = self.context.constants(name)
        writes, metrics = self._compiled[name](given)
        self.state["league"] = writes["league"]
        return {key: float(value) for key, value in metrics.items()}

    def add(self):
        """Freezes the agent as the loop does; returns what it did."""
        self.state["iteration"] = self.state["iteration"] + 1
        phase = next(p for p in self.graph.phases if p.name == "league_freeze")
        given = inputs_of(phase, self.state)
        changing = {name: given.pop(name) for name in ("pool", "league")}
        writes = self.programs.between(phase)(changing, given)
        self.state |= {name: writes[name] for name in changing}
        return jax.device_get(writes["frozen"])


def kept(tree):
    """Returns numpy arrays that share no memory with jax's, which so is free to be reused."""
    return jax.device_get(jax.tree.map(jnp.copy, tree))


_overwrite = jax.jit(
    lambda old, new: jax.tree.map(lambda x, y: jnp.where(x == x, y, x), old, new),
    donate_argnums=0,
)


def reward(level, entry):
    return (level - int(entry.params.params["level"])) / 4


def play(rules, place, level, groups):
    """Plays a collector by the rules; returns the agent's mean reward."""
    opponents = rules.opponents(place)
    shares = weights(np.array([x.score for x in opponents]), TEMPERATURE)
    counts = allocation(shares, groups)
    assert sum(counts) == groups
    total = 0.0
    for entry, count in zip(opponents, counts, strict=True):
        games = count * FINISHED
        rules.played(entry, games * reward(level, entry), games)
        total += games * reward(level, entry)
    return total / (groups * FINISHED)


def compare(league, rules):
    """Holds the table, the pool and the digests to the model, entry by entry."""
    table = league.table
    held = entries(table)
    expected = sorted(rules.league + rules.archive, key=lambda x: x.born)
    places = ["league" if x in rules.league else "archive" for x in expected]
    assert [(e.name, e.place, e.active, e.rollouts) for e in held] == [
        (x.name, place, x.active, x.rollouts) for x, place in zip(expected, places, strict=True)
    ]
    assert [np.float32(e.score) for e in held] == [x.score for x in expected]
    pool = league.state["pool"]
    digests = np.asarray(league.programs.pool_digests()(pool))
    for entry, model in zip(held, expected, strict=True):
        jax.tree.map(np.testing.assert_array_equal, gather(pool, entry.slot), model.params)
        assert to_hex(digests[entry.slot]) == entry.digest


LEVEL = st.integers(0, skill.LEVELS - 1)
DEEDS = st.lists(
    st.tuples(st.sampled_from(["add", "iterate", "evaluate"]), st.none() | LEVEL),
    min_size=15,
    max_size=40,
)


@pytest.mark.parametrize("name", slow_except(SETUPS, "one entry"))
@settings(max_examples=10)
@given(DEEDS)
def test_a_league_is_played_scored_and_pruned_by_the_rules(name, deeds):
    league, setup = league_of(name), SETUPS[name]
    league.start()
    rules = LeagueModel(size=setup.size, archive_size=setup.archive_size, alpha=0.5, margin=MARGIN)
    level, born = 4, 0
    for salt, (deed, learned) in enumerate(deeds):
        level = level if learned is None else learned
        league.learn(level, salt)
        if deed == "add":
            born += 1
            before, frozen = league.table, league.add()
            reported = [(event, x["name"]) for event, x in add_events(before, frozen, born)]
            assert reported == rules.add(born, kept(network_variables(league.state)))
        elif deed == "iterate":
            for place, groups in (("league", setup.groups), ("archive", setup.archive_groups)):
                if rules.opponents(place):
                    emitted = league.run(f"collect_{place}")
                    mean = play(rules, place, level, groups)
                    assert emitted == {f"train_vs_{place}/reward": pytest.approx(mean, rel=1e-6)}
        elif deed == "evaluate":
            before = league.table
            emitted = league.run(league.evaluator)
            means = [reward(level, entry) for entry in rules.archive]
            for entry in rules.archive:
                rules.played(entry, GAMES * reward(level, entry), GAMES)
            reported = [(event, x["name"]) for event, x in activity_events(before, league.table)]
            assert reported == rules.decide_activity()
            average = emitted[f"{league.evaluator}/avg_reward"]
            expected = float(np.mean(means)) if means else float("nan")
            assert average == pytest.approx(expected, rel=1e-6, abs=1e-7, nan_ok=True)
        compare(league, rules)
