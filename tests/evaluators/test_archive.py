"""Archive matches against the same games played by hand, and what they decide."""

from pathlib import Path

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot import spec
from jaxpot.errors import UserError
from jaxpot.evaluators import archive
from jaxpot.evaluators.play import play_games
from jaxpot.evaluators.players import policy_player
from jaxpot.league import ARCHIVE, LEAGUE, empty_table
from jaxpot.loop.context import build_context
from tests.evaluators.test_random_opponent import RATES
from tests.league import skill
from tests.tiny import tiny_experiment

GAMES, MARGIN, ALPHA = 6, 0.1, 0.25
LEAGUE_SPEC = spec.League(
    size=2, add_every=1, archive_size=3, score_alpha=ALPHA, forgotten_margin=MARGIN
)
KEY = 11


@pytest.fixture(scope="module")
def tictactoe():
    context = build_context(tiny_experiment(), Path("runs"))
    matches = archive.build(
        spec.ArchiveEvaluator(every=1, num_games=GAMES),
        name="old",
        env=context.env,
        network=context.network,
        league=LEAGUE_SPEC,
    )
    networks = [context.network.init(jax.random.key(n)) for n in range(6)]
    return context, jax.jit(matches.run), networks


@pytest.fixture(scope="module")
def by_hand(tictactoe):
    context, _, _ = tictactoe

    @jax.jit
    def play(agent, opponent, key):
        players = [
            policy_player(context.env, context.network, x, greedy=False) for x in (agent, opponent)
        ]
        return play_games(context.env, *players, key, num_games=GAMES)

    return play


def table_of(*rows):
    """Makes a table of (place, active, score, rollouts, born) by slot."""
    place, active, score, rollouts, born = zip(*rows, strict=True)
    return empty_table(len(rows))._replace(
        place=jnp.array(place, jnp.int32),
        active=jnp.array(active, jnp.bool_),
        score=jnp.array(score, jnp.float32),
        rollouts=jnp.array(rollouts, jnp.uint32),
        born=jnp.array(born, jnp.int32),
    )


TABLE = (
    (ARCHIVE, True, 0.9, 4, 30),  # was recalled, and is beaten by now
    (LEAGUE, False, -0.9, 2, 40),
    (ARCHIVE, False, -0.9, 7, 10),  # was not, and beats the agent by now
    (0, False, 0.0, 0, 0),
    (ARCHIVE, False, 0.6, 0, 20),
)


def stacked(networks):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *networks)


def test_plays_each_archived_entry_as_by_hand(tictactoe, by_hand):
    _, run, (agent, *pool) = tictactoe
    table, key = table_of(*TABLE), jax.random.key(KEY)
    output = run(agent, key=key, pool=stacked(pool), league=table)
    moved = output.fields["league"]
    score, rollouts = np.array(table.score), np.array(table.rollouts)
    returns, first, counts = [], [], np.zeros(9, np.int32)
    for slot in (2, 4, 0):
        games = by_hand(agent, pool[slot], jax.random.fold_in(key, table.born[slot]))
        assert games.finished.all()
        mean = np.float32(np.mean(games.returns))
        score[slot] = np.float32(1 - ALPHA) * score[slot] + np.float32(ALPHA) * mean
        rollouts[slot] += GAMES
        returns += games.returns.tolist()
        first += games.agent_first.tolist()
        counts += np.asarray(games.action_counts)
    np.testing.assert_allclose(moved.score, score, rtol=1e-6)
    np.testing.assert_array_equal(moved.rollouts, rollouts)
    assert moved.active.tolist() == [False, False, True, False, False]
    for name in ("place", "born", "digest"):
        np.testing.assert_array_equal(getattr(moved, name), getattr(table, name))
    assert set(output.metrics) == set(RATES)
    returns, first = np.array(returns), np.array(first)
    assert first.sum() == len(first) / 2 == 9
    for prefix, mine in (("", first | True), ("p0/", first), ("p1/", ~first)):
        of = returns[mine]
        assert output.metrics[f"{prefix}win_rate"] == pytest.approx((of > 0).mean())
        assert output.metrics[f"{prefix}draw_rate"] == pytest.approx((of == 0).mean())
        assert output.metrics[f"{prefix}lose_rate"] == pytest.approx((of < 0).mean())
        assert output.metrics[f"{prefix}avg_reward"] == pytest.approx(of.mean(), abs=1e-6)
        assert output.metrics[f"{prefix}done_rate"] == 1
    np.testing.assert_array_equal(output.histograms["actions"], counts)


def test_an_entrys_games_do_not_depend_on_slots_or_on_the_others(tictactoe):
    _, run, (agent, *pool) = tictactoe
    key = jax.random.key(KEY)
    all_ = run(agent, key=key, pool=stacked(pool), league=table_of(*TABLE)).fields["league"]
    gone = (0, False, 0.0, 0, 0)
    alone = table_of(gone, gone, gone, TABLE[2], gone)
    moved = [pool[0], pool[1], pool[3], pool[2], pool[4]]
    one = run(agent, key=key, pool=stacked(moved), league=alone).fields["league"]
    assert one.score[3] == all_.score[2]
    assert one.rollouts.tolist() == [0, 0, 0, TABLE[2][3] + GAMES, 0]


def test_an_empty_archive_moves_nothing(tictactoe):
    _, run, (agent, *pool) = tictactoe
    in_league = [(LEAGUE, False, 0.3 * n, n, n + 1) for n in range(2)]
    table = table_of(*in_league, *[(0, False, 0.0, 0, 0)] * 3)
    output = run(agent, key=jax.random.key(KEY), pool=stacked(pool), league=table)
    jax.tree.map(np.testing.assert_array_equal, output.fields["league"], table)
    assert all(np.isnan(x) for x in output.metrics.values())
    assert not output.histograms["actions"].any()


def skilled(*, max_steps=2, margin=MARGIN):
    env, network = skill.SkillGame(max_steps=max_steps), skill.LevelNetwork()
    matches = archive.build(
        spec.ArchiveEvaluator(every=1, num_games=GAMES),
        name="old",
        env=env,
        network=network,
        league=attrs.evolve(LEAGUE_SPEC, forgotten_margin=margin, score_alpha=0.5),
    )
    run = jax.jit(matches.run)
    pool = stacked([skill.network(level) for level in (4, 0, 8, 8, 2)])

    def evaluate(table):
        agent = jax.device_put(skill.network(4))
        return run(agent, key=jax.random.key(0), pool=pool, league=table)

    return evaluate


@pytest.mark.slow
def test_the_margin_is_the_specs_and_a_score_on_it_is_not_under_it():
    # Levels 4, 8 and 2 against the agent's 4: scores go to half of themselves plus 0, -0.5, 0.25.
    table = table_of(*TABLE)._replace(score=jnp.array([0.5, 0.0, 1.5, 0.0, -0.5]))
    for margin, active in (
        (0.25, [False, False, False, False, True]),
        (0.26, [True, False, True, False, True]),
        (-0.5, [False] * 5),
    ):
        moved = skilled(margin=margin)(table).fields["league"]
        assert moved.score.tolist() == [0.25, 0.0, 0.25, 0.0, 0.0]
        assert moved.active.tolist() == active


def test_a_game_that_does_not_end_moves_no_score():
    table = table_of(*TABLE)
    output = skilled(max_steps=1)(table)
    moved = output.fields["league"]
    assert np.asarray(moved.score).tobytes() == np.asarray(table.score).tobytes()
    np.testing.assert_array_equal(moved.rollouts, table.rollouts)
    # What is decided is decided by the scores that there are.
    assert moved.active.tolist() == [False, False, True, False, False]
    assert output.metrics["done_rate"] == 0
    assert np.isnan(output.metrics["avg_reward"])


def test_greedy_networks_do_not_sample(tictactoe):
    context, _, (agent, *pool) = tictactoe
    matches = archive.build(
        spec.ArchiveEvaluator(every=1, num_games=GAMES, greedy=True),
        name="old",
        env=context.env,
        network=context.network,
        league=LEAGUE_SPEC,
    )
    run = jax.jit(matches.run)
    table = table_of(*TABLE)
    outputs = [
        run(agent, key=jax.random.key(k), pool=stacked(pool), league=table) for k in range(3)
    ]
    for other in outputs[1:]:
        jax.tree.map(np.testing.assert_array_equal, other, outputs[0])


def test_there_is_no_archive_without_a_league():
    with pytest.raises(UserError, match=r"old: .* the spec has no \[league\]"):
        archive.build(
            spec.ArchiveEvaluator(every=1, num_games=2),
            name="old",
            env=skill.SkillGame(),
            network=skill.LevelNetwork(),
            league=None,
        )
