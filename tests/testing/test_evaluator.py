from typing import Any

import attrs
import jax
import jax.numpy as jnp
import pytest

from jaxpot.evaluators import EvaluatorOutput
from jaxpot.testing import ContractError, check_evaluator
from tests.evaluators.tabular import TabularNetwork

NETWORK = TabularNetwork(num_actions=3, observation_size=1)


@attrs.frozen(eq=False)
class Fixed:
    """An evaluator that gives fixed results, and a drawn one."""

    metrics: dict[str, Any]
    histograms: dict[str, Any] = attrs.field(factory=dict)

    def run(self, variables, key):
        drawn = {"drawn": jax.random.uniform(key)}
        return EvaluatorOutput(metrics=self.metrics | drawn, histograms=self.histograms)


def test_a_users_own_evaluator_keeps_the_contract():
    evaluator = Fixed({"p0/win_rate": jnp.float32(0.5)}, {"actions": jnp.arange(3)})
    check_evaluator(evaluator, NETWORK, metrics=["drawn", "p0/win_rate"])


def test_every_fault_is_named():
    evaluator = Fixed(
        {"Win Rate": jnp.float32(1), "each": jnp.zeros(2), "wins": jnp.int8(1)},
        {"actions": jnp.zeros(3)},
    )
    with pytest.raises(ContractError) as caught:
        check_evaluator(evaluator, NETWORK, metrics=["wins"])
    assert caught.value.faults == (
        "metric 'Win Rate' is not a name such as 'win_rate' or 'p0/win_rate'",
        "metric 'each' is float32[2]; expected a float32 or int32 scalar",
        "metric 'wins' is int8[]; expected a float32 or int32 scalar",
        "declares the metrics ['wins'] but gives ['Win Rate', 'drawn', 'each', 'wins']",
        "histogram 'actions' is float32[3]; expected integer counts [bins]",
    )


def test_a_hidden_generator_is_found():
    seeds = iter(range(10))

    class Hidden:
        def run(self, variables, key):
            draw = jax.pure_callback(lambda: jnp.float32(next(seeds)), jnp.float32(0))
            return EvaluatorOutput(metrics={"draw": draw}, histograms={})

    with pytest.raises(ContractError, match="other results when it is run again"):
        check_evaluator(Hidden(), NETWORK)
