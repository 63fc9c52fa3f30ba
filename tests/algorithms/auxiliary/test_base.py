"""Auxiliary losses together: built from a spec, recorded, and added up over the rows that count."""

import attrs
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.algorithms.auxiliary import (
    auxiliary_targets,
    auxiliary_terms,
    build_losses,
    record_states,
)
from jaxpot.algorithms.auxiliary_losses import ProgressLoss
from jaxpot.errors import UserError
from jaxpot.games import pgx_env
from jaxpot.spec import PgxEnv
from jaxpot.spec.configs.auxiliary import GameProgress, OpponentHand
from tests.algorithms.auxiliary.rows import rows
from tests.games.nim import Nim


@pytest.fixture(scope="module")
def kuhn():
    return pgx_env.build(PgxEnv(id="kuhn_poker"))


def test_losses_are_built_by_their_names(kuhn):
    configs = {"far": GameProgress(coeff=0.5), "cards": OpponentHand()}
    losses = build_losses(configs, env=kuhn)
    assert {name: loss.width for name, loss in losses.items()} == {"far": 1, "cards": 3}
    assert [loss.coeff for loss in losses.values()] == [0.5, 0.1]
    assert build_losses({}, env=kuhn) == {}


def test_two_losses_of_one_target_are_refused(kuhn):
    with pytest.raises(UserError, match=r"losses a and b both learn 'game_progress'"):
        build_losses({"a": GameProgress(), "b": GameProgress()}, env=kuhn)


def test_a_game_without_hands_is_refused():
    for env in (Nim(), pgx_env.build(PgxEnv(id="tic_tac_toe"))):
        with pytest.raises(UserError, match="the game tells no hands"):
            build_losses({"x": OpponentHand()}, env=env)


def test_only_what_is_asked_for_is_recorded(kuhn):
    losses = build_losses({"far": GameProgress(), "cards": OpponentHand()}, env=kuhn)
    keys = jax.random.split(jax.random.key(0), 4)
    recorded = jax.eval_shape(
        lambda keys: record_states(losses, kuhn, jax.vmap(kuhn.init)(keys)), keys
    )
    assert {name: x.shape for name, x in recorded.items()} == {"cards": (4, 3)}


def test_targets_come_from_the_rollout_and_what_was_recorded(kuhn):
    losses = build_losses({"far": GameProgress(), "cards": OpponentHand()}, env=kuhn)
    rollout = rows(done=np.zeros((3, 4), bool))
    hands = jnp.ones((3, 4, 3)) / 3
    targets = auxiliary_targets(losses, rollout, {"cards": hands})
    assert {name: known.shape for name, (_, known) in targets.items()} == {
        "far": (3, 4),
        "cards": (3, 4),
    }
    np.testing.assert_array_equal(targets["cards"][0], hands)


@attrs.frozen
class Square(ProgressLoss):
    """A user's own loss: every second row has a target."""

    def loss(self, output, target):
        return jnp.square(output[:, 0] - target)


def test_terms_are_means_over_rows_that_count_and_have_a_target():
    losses = {
        "a": Square(coeff=2.0, max_steps=9),
        "b": Square(coeff=0.25, max_steps=9),
    }
    outputs = {"a": jnp.array([[1.0], [2.0], [3.0], [jnp.nan]]), "b": jnp.ones((4, 1))}
    known = jnp.array([True, False, True, True])
    targets = {"a": (jnp.zeros(4), known), "b": (jnp.zeros(4), jnp.ones(4, bool))}
    mask = jnp.array([True, True, True, False])
    total, metrics = auxiliary_terms(losses, outputs, targets, mask)
    assert metrics["a"] == (1.0 + 9.0) / 2
    assert metrics["b"] == 1.0
    assert total == 2.0 * 5.0 + 0.25
    nothing, metrics = auxiliary_terms(losses, outputs, targets, jnp.zeros(4, bool))
    assert nothing == 0 and set(metrics) == {"a", "b"}


def test_without_losses_there_is_nothing_to_add():
    total, metrics = auxiliary_terms({}, {}, {}, jnp.ones(4, bool))
    assert (float(total), metrics) == (0.0, {})
