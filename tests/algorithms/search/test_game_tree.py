"""What a move in the tree pays and where it leads, against the game's rules in plain Python."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot import spec
from jaxpot.algorithms.search import require_searchable
from jaxpot.algorithms.search.game_tree import Node, make_step
from jaxpot.errors import UserError
from jaxpot.games import pgx_env
from tests.algorithms.search.again import HEAP, Again, at, plain_move
from tests.algorithms.search.networks import Opinion
from tests.evaluators.stubs import Memoryless

GAMMA, VALUE = 0.5, 0.25
LINES = np.array(list(itertools.product((0, 1), repeat=HEAP + 1)))
"""Every sequence of moves, on behind the end of each game."""


@pytest.fixture(scope="module")
def walked():
    """The steps of every line: mctx's outputs and the nodes, `[steps, lines]`."""
    step = make_step(Again(), Opinion(), gamma=GAMMA)
    guide = (jnp.zeros(2), jnp.float32(VALUE))

    @jax.jit
    def walk(actions):
        def move(node, action):
            output, node = step(guide, jax.random.key(0), action, node)
            return node, (output.reward, output.discount, output.value, output.prior_logits, node)

        lanes = actions.shape[1]
        state = jax.tree.map(lambda x: jnp.stack([x] * lanes), at(HEAP, 0))
        return jax.lax.scan(move, Node(state, jnp.zeros(lanes, jnp.bool_)), actions)[1]

    return jax.device_get(walk(LINES.T))


def test_rewards_are_the_movers_and_discounts_follow_the_turn(walked):
    rewards, discounts, values, logits, nodes = walked
    ended = 0
    for line, actions in enumerate(LINES):
        heap, player = HEAP, 0
        for t, action in enumerate(actions):
            if heap <= 0 or action >= heap:  # over, or an illegal move that no search makes
                break
            heap, following, paid = plain_move(heap, player, action)
            assert rewards[t, line] == pytest.approx(paid)
            sign = 1 if following == player else -1
            assert discounts[t, line] == (sign * GAMMA if heap else 0)
            assert values[t, line] == (VALUE if heap else 0)
            if heap:
                assert (logits[t, line] == np.where([True, heap > 1], 0, logits.min())).all()
            assert nodes.over[t, line] == (heap == 0)
            player = following
        ended += heap == 0
    assert ended > len(LINES) / 4


def test_behind_an_end_nothing_happens(walked):
    rewards, discounts, values, logits, nodes = walked
    for line in range(len(LINES)):
        over = np.flatnonzero(nodes.over[:, line])
        if len(over):
            behind = slice(over[0] + 1, None)
            assert over.tolist() == list(range(over[0], HEAP + 1))
            assert not rewards[behind, line].any()
            assert not discounts[over[0] :, line].any()
            assert not values[over[0] :, line].any()
            assert (logits[behind, line] == 0).all()


@pytest.mark.parametrize(
    ("game_id", "reason"), [("backgammon", "chance"), ("leduc_holdem", "hides from its players")]
)
def test_games_that_cannot_be_searched_are_refused(game_id, reason):
    env = pgx_env.build(spec.PgxEnv(id=game_id))
    with pytest.raises(UserError, match=f"mine: .*{reason}"):
        require_searchable(env, Memoryless(), name="mine")


def test_a_game_that_is_not_zero_sum_and_a_network_with_memory_are_refused():
    with pytest.raises(UserError, match="not zero-sum"):
        require_searchable(Again(zero_sum=False), Memoryless(), name="mine")
    recurrent = Memoryless()
    recurrent.recurrent = True
    with pytest.raises(UserError, match="has no memory"):
        require_searchable(Again(), recurrent, name="mine")
