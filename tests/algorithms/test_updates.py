"""The updates of an iteration against a plain loop over minibatches in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.algorithms.base import Batch
from jaxpot.algorithms.losses import masked_mean
from jaxpot.algorithms.minibatches import shuffled_rows
from jaxpot.algorithms.optimizers import init_optimizer
from jaxpot.algorithms.updates import make_updates
from jaxpot.models.base import Variables
from jaxpot.spec import PPO, SGD, Linear

ROWS, SIZE, EPOCHS, T = 11, 4, 3, 5
RATE = Linear(init=0.1, end=0.0, iterations=10)


def batch_of(seed):
    draw = np.random.default_rng(seed)
    valid = draw.random(ROWS) < 0.8
    return Batch(
        observation=draw.normal(size=ROWS).astype(np.float32),
        legal_action_mask=np.ones((ROWS, 1), bool),
        action=np.zeros(ROWS, np.int32),
        extras={},
        targets={"target": draw.normal(size=ROWS).astype(np.float32)},
        valid=valid,
    )


def loss(variables, rows, mask, key):
    """A line through the origin; the model state counts minibatches, `drawn` is the key's."""
    error = variables.params["w"] * rows.observation - rows.targets["target"]
    total = masked_mean(jnp.square(error), mask)
    drawn = jnp.float32(0) if key is None else jax.random.uniform(key)
    state = {"seen": variables.model_state["seen"] + 1}
    return total, ({"loss": total, "drawn": drawn}, state)


def learn(batch, shuffle, *, clip=None, dropout=None):
    keys = {"shuffle": jax.random.key(2)} | ({} if dropout is None else {"dropout": dropout})
    optimizer = SGD(learning_rate=RATE, max_grad_norm=clip)
    config = PPO(num_epochs=EPOCHS, batch_size=SIZE, shuffle=shuffle)

    @jax.jit
    def run(batch, keys):
        variables = Variables({"w": jnp.float32(0.5)}, {"seen": jnp.int32(0)})
        return make_updates(
            loss,
            variables,
            init_optimizer(optimizer, variables.params),
            batch,
            config=config,
            metrics=("loss", "drawn"),
            optimizer=optimizer,
            keys=keys,
            iteration=jnp.int32(T),
        )

    return jax.device_get(run(batch, keys))


def by_hand(batch, shuffle, *, clip=None):
    """Returns the weight, and the means of the loss and of the gradient's norm."""
    key, valid = jax.random.key(2), jnp.asarray(batch.valid)
    keys = [key] * EPOCHS if shuffle == "iteration" else list(jax.random.split(key, EPOCHS))
    rate = 0.1 * (1 - T / 10)
    w, losses, norms = 0.5, [], []
    for epoch_key in keys:
        order = np.asarray(shuffled_rows(epoch_key, valid))[: batch.valid.sum()]
        for start in range(0, len(order), SIZE):
            rows = order[start : start + SIZE]
            x, y = batch.observation[rows], batch.targets["target"][rows]
            losses.append(np.mean((w * x - y) ** 2))
            gradient = np.mean(2 * (w * x - y) * x)
            norms.append(abs(gradient))
            if clip is not None:
                gradient *= min(1.0, clip / abs(gradient))
            w -= rate * gradient
    return w, np.mean(losses), np.mean(norms), len(losses)


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize("shuffle", ["iteration", "epoch"])
def test_updates_are_those_of_a_plain_loop(shuffle, clip):
    batch = batch_of(0)
    learned = learn(batch, shuffle, clip=clip)
    w, mean_loss, norm, count = by_hand(batch, shuffle, clip=clip)
    assert learned.variables.params["w"] == pytest.approx(w, rel=1e-4)
    assert learned.variables.model_state["seen"] == count
    assert learned.metrics["loss"] == pytest.approx(mean_loss, rel=1e-4)
    assert learned.metrics["grad_norm"] == pytest.approx(norm, rel=1e-4)
    assert (learned.metrics["grad_norm_clipped"] <= (clip or np.inf) + 1e-6).all()
    assert learned.metrics["iteration/learning_rate"] == pytest.approx(0.05)


def test_each_update_has_its_own_dropout_key():
    key = jax.random.key(9)
    learned = learn(batch_of(0), "iteration", dropout=key)
    count = int(learned.variables.model_state["seen"])
    drawn = [float(jax.random.uniform(jax.random.fold_in(key, i))) for i in range(count)]
    assert learned.metrics["drawn"] == pytest.approx(np.mean(drawn), rel=1e-5)


def test_without_a_valid_row_nothing_changes():
    batch = batch_of(0)._replace(valid=np.zeros(ROWS, bool))
    learned = learn(batch, "iteration")
    assert learned.variables.params["w"] == 0.5
    assert learned.variables.model_state["seen"] == 0
    assert learned.metrics["loss"] == learned.metrics["grad_norm"] == 0
