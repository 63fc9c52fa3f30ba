"""Players by a search and players with a memory, and what they are sampled from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot import spec
from jaxpot.algorithms.search import SearchOptions, noiseless, search
from jaxpot.errors import UserError
from jaxpot.evaluators import game_tree, play_games, random_opponent
from jaxpot.evaluators.players import policy_player
from jaxpot.games import pgx_env
from jaxpot.models.base import Outputs, Variables
from tests.algorithms.networks import Opinion
from tests.evaluators.stubs import Memoryless
from tests.evaluators.test_play import Recording
from tests.games.nim import Nim

TIC_TAC_TOE = pgx_env.build(spec.PgxEnv(id="tic_tac_toe"))
LANES = 512


@pytest.fixture(scope="module")
def one_move_from_winning():
    """What a search finds where square 2 wins, and the moves of players who search so."""
    config = spec.Search(policy="muzero", num_simulations=12)
    variables = Variables(jnp.zeros(9), jnp.float32(0))

    def position():
        state = TIC_TAC_TOE.init(jax.random.key(1))
        for action in (0, 3, 1, 4):
            state = TIC_TAC_TOE.step(state, jnp.int32(action), jax.random.key(0))
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (LANES, *x.shape)), state)

    def moves(state, greedy, key):
        player = policy_player(TIC_TAC_TOE, Opinion(), variables, greedy=greedy, search=config)
        return player.choose(state, player.start(LANES), key)[0]

    @jax.jit
    def both(key):
        state = position()
        seen = jax.vmap(TIC_TAC_TOE.observe)(state, state.current_player)
        options = noiseless(SearchOptions.of(config))
        found = search(options, TIC_TAC_TOE, Opinion(), variables, state, seen, key)
        return found.weights.mean(axis=0), moves(state, True, key), moves(state, False, key)

    return jax.device_get(both(jax.random.key(0)))


def test_a_search_is_sampled_by_its_weights_and_not_by_them_as_logits(one_move_from_winning):
    """Weights are probabilities: their softmax would be a distribution near the uniform one."""
    weights, _, sampled = one_move_from_winning
    share = np.bincount(sampled, minlength=9) / LANES
    stderr = np.sqrt(weights * (1 - weights) / LANES)
    assert (np.abs(share - weights) <= 4 * stderr).all()
    odds = np.exp(weights) * (weights > 0)
    assert weights[2] - (odds / odds.sum())[2] > 8 * stderr[2]


def test_a_greedy_search_takes_the_best_that_it_found(one_move_from_winning):
    weights, greedy, _ = one_move_from_winning
    assert weights.argmax() == 2
    assert (greedy == 2).all()


def score(num_simulations, num_games=128):
    """Returns the mean result against random moves, and its standard error."""
    config = spec.RandomEvaluator(
        every=1, num_games=num_games, search=spec.Search(num_simulations=num_simulations)
    )
    evaluator = random_opponent.build(config, name="x", env=TIC_TAC_TOE, network=Opinion())
    with jax.debug_key_reuse(True):
        games = jax.jit(evaluator.play)(Variables(jnp.zeros(9), jnp.float32(0)), jax.random.key(0))
    return float(games.returns.mean()), float(games.returns.std()) / num_games**0.5


@pytest.mark.slow
def test_more_simulations_never_weaken_a_search():
    """Against random moves, by a network that knows nothing."""
    (fewer, error), (more, other) = score(2), score(48)
    assert more >= fewer - 2 * np.hypot(error, other)
    assert fewer < 0.6
    assert more > 0.7


class Counting(Memoryless):
    """Plays by how often it has played: its carry counts its own decisions."""

    recurrent = True

    def initial_carry(self, batch):
        return jnp.zeros((batch, 1))

    def step(self, variables, observation, carry):
        del variables
        logits = jax.nn.one_hot(carry[:, 0].astype(jnp.int32) % 3, 3)
        return Outputs(logits, jnp.zeros(len(observation))), carry + 1


def test_what_players_carry_moves_with_their_own_moves():
    """Nim, in which both take one, two, three, one, ... counters, each by its own count."""
    env, lanes = Recording(Nim(heap=11)), 8
    player = policy_player(env, Counting(), Variables({}), greedy=True)
    play = jax.jit(lambda key: play_games(env, player, player, key, num_games=lanes))
    games = jax.device_get(play(jax.random.key(0)))
    for lane in range(lanes):
        length = games.state.length[lane]
        # A game in which 2 counters or fewer are left, but 3 are wanted, goes on with one.
        assert games.state.actions[lane, :length].tolist() == [0, 0, 1, 1, 2, 0, 0]
    assert games.finished.all()


def test_a_search_that_cannot_be_is_refused_at_build():
    config = spec.RandomEvaluator(every=1, num_games=2, search=spec.Search())
    with pytest.raises(UserError, match=r"mine: .*memory"):
        random_opponent.build(config, name="mine", env=TIC_TAC_TOE, network=Counting())
    poker = pgx_env.build(spec.PgxEnv(id="kuhn_poker"))
    with pytest.raises(UserError, match=r"mine: .*hides"):
        random_opponent.build(config, name="mine", env=poker, network=Opinion())


def test_lines_of_play_are_not_followed_for_a_network_with_memory():
    config = spec.GameTreeEvaluator(every=1)
    with pytest.raises(UserError, match=r"mine: lines of play meet"):
        game_tree.build(config, name="mine", env=TIC_TAC_TOE, network=Counting())
