from typing import Any

import attrs
import jax
import jax.numpy as jnp
import pytest

from jaxpot.algorithms import ppo
from jaxpot.algorithms.base import Decision, Learned
from jaxpot.models.base import Variables
from jaxpot.spec import MLP, PPO, AdamW
from jaxpot.spec.registry import implementation
from jaxpot.testing import ContractError, check_algorithm
from tests.marks import slow_except

NETWORK = implementation(MLP(hidden_dims=(4,)))(
    MLP(hidden_dims=(4,)), observation_shape=(3,), num_actions=4
)


def own(**changes):
    config = PPO(**{"num_epochs": 2, "batch_size": 16} | changes)
    return ppo.build(config, env=None, network=NETWORK, optimizer=AdamW(learning_rate=1e-2))


@attrs.frozen(eq=False)
class Wrong:
    """An algorithm that breaks one rule on request, and otherwise is PPO."""

    breaks: str
    right: Any = attrs.field(factory=own)

    off_policy = False
    seq_len = None

    def act(self, variables, view, key):
        decision = self.right.act(variables, view, key)
        if self.breaks == "act":
            return Decision(
                decision.action * 0 + jnp.argmin(view.legal_action_mask, -1), {"x": jnp.float32(0)}
            )
        return decision

    act_as_opponent = act

    def targets(self, rollout):
        targets, known = self.right.targets(rollout)
        if self.breaks == "targets":
            return {"advantage": targets["advantage"].T}, known.astype(jnp.int32)
        return targets, known

    def settle(self, targets, paid, ended):
        if self.breaks == "settled names":
            return {"target": targets["target"] + paid}
        if self.breaks == "settled rows":
            return targets | {"target": targets["target"] * 2.0}
        return targets | {"target": targets["target"] + paid}

    def init(self, params):
        return self.right.init(params)

    def update(self, variables, opt_state, batch, *, keys, iteration):
        learned = self.right.update(variables, opt_state, batch, keys=keys, iteration=iteration)
        if self.breaks == "update":
            metrics = {"loss": jnp.zeros(2), "rate": jnp.float32(jnp.nan)}
            params = variables.params
            wide = {**params, "hidden": {"0": {**params["hidden"]["0"]}}}
            wide["hidden"]["0"]["bias"] = params["hidden"]["0"]["bias"].astype(jnp.float16) + 1
            return Learned(Variables(wide, variables.model_state), (), metrics)
        if self.breaks == "rows":
            seen = batch.observation.sum() / batch.valid.sum()
            moved = jax.tree.map(lambda x: x + seen, learned.variables)
            return learned._replace(variables=moved)
        return learned


@pytest.mark.parametrize(
    "changes", slow_except([{}, {"shuffle": "epoch", "normalize_advantage": False}], {})
)
def test_the_shipped_algorithm_keeps_the_contract(changes):
    algorithm = own(**changes)
    check_algorithm(algorithm, NETWORK)


@pytest.mark.parametrize(
    ("breaks", "faults"),
    [
        (
            "act",
            (
                "act chooses an illegal action",
                "act records 'x' as float32[]; its first axis must be the lanes",
            ),
        ),
        (
            "targets",
            (
                "target 'advantage' is float32[8, 6]; its first axes must be [6, 8]",
                "targets says which rows have one as int32[6, 8]; expected bool[6, 8]",
            ),
        ),
        (
            "settled names",
            ("settle changes the targets' names, shapes or types; they must stay",),
        ),
        (
            "settled rows",
            ("settle changes targets of rows that were paid nothing and whose game goes on",),
        ),
        (
            "update",
            (
                "params['hidden']['0']['bias'] is float32[4] before the update and float16[4] "
                "after it",
                "update gives opt_state of another structure",
                "metric 'loss' is float32[2]; expected a float32 or int32 scalar",
                "declares the metrics ['loss'] but gives ['loss', 'rate']",
                "update gives parameters or metrics that are not finite",
            ),
        ),
        (
            "rows",
            (
                "update learns from rows that are not valid",
                "update gives parameters or metrics that are not finite when no row is valid",
            ),
        ),
    ],
)
def test_every_fault_is_named(breaks, faults):
    with pytest.raises(ContractError) as caught:
        check_algorithm(Wrong(breaks), NETWORK, metrics=["loss"] if breaks == "update" else None)
    assert caught.value.faults == faults
