import re
from collections import Counter

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pyspiel
import pytest

from jaxpot import spec
from jaxpot.errors import UserError
from jaxpot.evaluators import game_tree
from jaxpot.games import pgx_env
from jaxpot.models.base import Variables
from jaxpot.testing import check_evaluator
from tests.evaluators.boards import observation
from tests.evaluators.stubs import Memoryless
from tests.evaluators.tabular import TabularNetwork, greedy_action
from tests.games.nim import Nim

METRICS = [f"{seat}{name}" for seat in ("", "p0/", "p1/") for name in ("won", "drawn", "lost")]


def build(env, network, max_positions=6_000):
    config = spec.GameTreeEvaluator(every=1, max_positions=max_positions)
    return game_tree.build(config, name="exact", env=env, network=network)


@pytest.fixture(scope="module")
def tic_tac_toe():
    env = pgx_env.build(spec.PgxEnv(id="tic_tac_toe"))
    evaluator = build(env, TabularNetwork(num_actions=9, observation_size=18))
    run = jax.jit(evaluator.run)
    return evaluator, lambda variables: as_ints(run(variables, jax.random.key(0)))


def as_ints(output):
    return {name: int(value) for name, value in output.metrics.items()}


def totals(*by_order):
    """Names `(won, drawn, lost)`, moving first and moving second, as the evaluator does."""
    rows = {"p0/": by_order[0], "p1/": by_order[1], "": np.add(*by_order).tolist()}
    return {
        f"{prefix}{name}": row[i]
        for prefix, row in rows.items()
        for i, name in enumerate(("won", "drawn", "lost"))
    }


def openspiel_outcomes(params, agent):
    """Searches OpenSpiel's tic-tac-toe: final positions by the agent's result, each once."""
    finals, seen = {}, set()
    frontier = [pyspiel.load_game("tic_tac_toe").new_initial_state()]
    while frontier:
        state = frontier.pop()
        if str(state) in seen:
            continue
        seen.add(str(state))
        if state.is_terminal():
            finals[str(state)] = state.player_return(agent)
            continue
        moves = state.legal_actions()
        if state.current_player() == agent:
            moves = [greedy_action(params, observation("tic_tac_toe", state), moves)]
        frontier += [state.child(move) for move in moves]
    counts = Counter(finals.values())
    return [counts[1.0], counts[0.0], counts[-1.0]]


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_a_search_in_openspiel(tic_tac_toe, seed):
    evaluator, run = tic_tac_toe
    variables = evaluator.network.init(jax.random.key(seed))
    expected = totals(*(openspiel_outcomes(variables.params, agent) for agent in (0, 1)))
    assert run(variables) == expected


LINES = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]


def plain_outcomes(choose, agent):
    """The same search over boards of our own, knowing neither pgx nor OpenSpiel."""
    counts, seen, frontier = [0, 0, 0], set(), [(" " * 9, 0)]
    while frontier:
        board, mover = frontier.pop()
        if board in seen:
            continue
        seen.add(board)
        winner = [p for p in (0, 1) if any(all(board[i] == "xo"[p] for i in row) for row in LINES)]
        empty = [i for i in range(9) if board[i] == " "]
        if winner or not empty:
            counts[1 if not winner else 0 if winner == [agent] else 2] += 1
            continue
        for move in choose(board, mover, empty) if mover == agent else empty:
            frontier.append((board[:move] + "xo"[mover] + board[move + 1 :], 1 - mover))
    return counts


def test_counts_are_those_of_a_search_in_plain_python(tic_tac_toe):
    evaluator, run = tic_tac_toe
    variables = evaluator.network.init(jax.random.key(11))

    def choose(board, mover, empty):
        mine, theirs = "xo"[mover], "xo"[1 - mover]
        planes = np.array([[c == mine, c == theirs] for c in board])
        return [greedy_action(variables.params, planes, empty)]

    assert run(variables) == totals(*(plain_outcomes(choose, agent) for agent in (0, 1)))


@attrs.frozen(kw_only=True, eq=False)
class PerfectNim(Memoryless):
    """Leaves a multiple of four counters whenever it can: wins every heap but the multiples."""

    def apply(self, variables, observation):
        del variables
        wanted = (observation[:, 0] % 4 - 1) % 4
        return jax.nn.one_hot(wanted, 3), jnp.zeros(len(observation))


@pytest.mark.parametrize(("heap", "loser"), [(7, "p1"), (8, "p0")])
def test_a_perfect_player_loses_no_line_that_it_can_win(heap, loser):
    """Nim from 7 is won by moving first, from 8 by moving second; its states count no moves."""
    counts = as_ints(
        jax.jit(build(Nim(heap=heap), PerfectNim()).run)(Variables({}), jax.random.key(0))
    )
    winner = {"p0": "p1", "p1": "p0"}[loser]
    assert counts[f"{winner}/won"] == 1
    assert counts[f"{winner}/lost"] == 0
    assert counts[f"{loser}/lost"] == 1


def test_what_is_counted_are_distinct_final_positions_not_the_ways_to_them():
    """From 8, moving second, there are nine plays of the opponent; all end at one empty heap."""

    def plays(heap):
        return sum(plays(heap - 4) for _ in (1, 2, 3)) if heap else 1

    counts = as_ints(
        jax.jit(build(Nim(heap=8), PerfectNim()).run)(Variables({}), jax.random.key(0))
    )
    assert plays(8) == 9
    assert {name: counts[f"p1/{name}"] for name in ("won", "drawn", "lost")} == {
        "won": 1,
        "drawn": 0,
        "lost": 0,
    }


def test_both_players_returns_are_their_own():
    """In a game that is not zero-sum, the second mover's result is not the first one's negative."""

    class Generous(Nim):
        def step(self, state, action, key):
            after = super().step(state, action, key)
            return type(after)(
                after.heap, after.current_player, after.terminated * jnp.ones(2), after.terminated
            )

    env = Generous(heap=2, zero_sum=False)
    counts = as_ints(jax.jit(build(env, PerfectNim()).run)(Variables({}), jax.random.key(0)))
    assert counts == totals([1, 0, 0], [2, 0, 0])


def test_batches_of_positions_change_nothing(tic_tac_toe, monkeypatch):
    evaluator, run = tic_tac_toe
    variables = evaluator.network.init(jax.random.key(0))
    whole = run(variables)
    monkeypatch.setattr(game_tree, "_BATCH", 1_000)
    assert as_ints(jax.jit(attrs.evolve(evaluator).run)(variables, jax.random.key(0))) == whole


def test_keeps_the_evaluators_contract():
    check_evaluator(
        build(Nim(), TabularNetwork(num_actions=3, observation_size=1)),
        TabularNetwork(num_actions=3, observation_size=1),
        metrics=METRICS,
    )


@pytest.mark.parametrize(
    ("game_id", "what"), [("kuhn_poker", "hidden information"), ("backgammon", "chance")]
)
def test_games_without_certain_lines_are_refused(game_id, what):
    env = pgx_env.build(spec.PgxEnv(id=game_id))
    with pytest.raises(UserError) as caught:
        build(env, Memoryless())
    assert str(caught.value) == (
        f"exact: a game with {what} has no exact tree; use kind = 'random'"
    )


def test_too_large_a_game_is_refused_when_it_is_traced():
    evaluator = build(Nim(heap=50), PerfectNim(), max_positions=20)
    with pytest.raises(UserError, match="more than 20 positions"):
        jax.eval_shape(evaluator.run, Variables({}), jax.random.key(0))


def test_enumerating_costs_two_compiles(caplog):
    """While `run` is traced, jax compiles the enumeration's two programs and nothing else."""
    network = TabularNetwork(num_actions=9, observation_size=18)
    evaluator = build(pgx_env.build(spec.PgxEnv(id="tic_tac_toe")), network)
    args = (jax.eval_shape(network.init, jax.random.key(0)), jax.random.key(0))
    with jax.log_compiles():
        jax.eval_shape(evaluator.run, *args)
    compiled = re.findall(r"Compiling jit\((\w+)\)", caplog.text)
    assert compiled == ["game_tree_deal", "game_tree_step"]
