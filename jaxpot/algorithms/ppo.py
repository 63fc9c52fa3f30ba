"""Proximal policy optimisation (Schulman et al. 2017) over the rows of one iteration."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, cast

import attrs
import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxpot import spec
from jaxpot.algorithms.advantages import (
    bootstrap,
    per_seat_gae,
    per_seat_return,
    per_seat_vtrace,
    played,
)
from jaxpot.algorithms.auxiliary import AuxiliaryLoss, auxiliary_terms
from jaxpot.algorithms.base import Batch, Decision, Learned, Rollout, View
from jaxpot.algorithms.losses import log_prob_of, mask_illegal, normalize, ppo_terms, sample_action
from jaxpot.algorithms.minibatches import predict
from jaxpot.algorithms.optimizers import init_optimizer, schedule_value
from jaxpot.algorithms.updates import Evaluated, make_updates
from jaxpot.games.base import Environment
from jaxpot.models.base import Network, Params, Variables
from jaxpot.spec.configs.optimizers import OptimizerConfig


def build(
    config: spec.PPO,
    *,
    env: Environment[Any],
    network: Network,
    optimizer: OptimizerConfig,
    auxiliary: Mapping[str, AuxiliaryLoss] = MappingProxyType({}),
) -> "PPO":
    """Build the algorithm that `[algorithm] kind = "ppo"` declares."""
    del env
    return PPO(config=config, network=network, optimizer=optimizer, auxiliary=auxiliary)


@attrs.frozen(kw_only=True)
class PPO:
    """PPO with per-seat advantages; see `jaxpot.algorithms.base.Algorithm`."""

    config: spec.PPO
    network: Network
    optimizer: OptimizerConfig
    auxiliary: Mapping[str, AuxiliaryLoss] = attrs.field(hash=False)

    @property
    def seq_len(self) -> int | None:
        return self.config.seq_len

    @property
    def off_policy(self) -> bool:
        """True with V-trace, which corrects for who chose a move."""
        return self.config.vtrace

    def act(self, variables: Variables, view: View, key: Array) -> Decision:
        """Sample from the policy; record the action's log-probability and the value."""
        outputs, carry = self.network.step(variables, view.observation, view.carry)
        action = sample_action(key, outputs.logits, view.legal_action_mask)
        log_probs = jax.nn.log_softmax(mask_illegal(outputs.logits, view.legal_action_mask))
        extras = {"log_prob": log_prob_of(log_probs, action), "value": outputs.value}
        if self.off_policy:  # an opponent's network may take any of the actions instead
            extras["log_probs"] = log_probs
        return Decision(action, extras, carry)

    act_as_opponent = act

    def targets(self, rollout: Rollout) -> tuple[dict[str, Array], Array]:
        """Compute advantages and value targets, `[T, N]`; a row that is cut off may have none."""
        config, value = self.config, rollout.extras["value"]
        game, end, gamma = played(rollout), bootstrap(rollout), config.gamma
        more = {}
        if self.off_policy:
            more["log_prob"], log_ratio = _log_probs(rollout)
            rows = per_seat_vtrace(
                value=value,
                **game,
                **end,
                log_ratio=log_ratio,
                gamma=gamma,
                gae_lambda=cast(float, config.gae_lambda),
                rho_clip=_VTRACE_CLIP,
                c_clip=_VTRACE_CLIP,
            )
        elif config.advantage == "per_seat_return":
            rows = per_seat_return(value=value, **game, gamma=gamma)
        else:
            mix = cast(float, config.gae_lambda)
            rows = per_seat_gae(value=value, **game, **end, gamma=gamma, gae_lambda=mix)
        return {"advantage": rows.advantage, "target": rows.target, **more}, rows.known

    def init(self, params: Params) -> optax.OptState:
        """Return the optimizer's state before the first update."""
        return init_optimizer(self.optimizer, params)

    def update(
        self,
        variables: Variables,
        opt_state: Any,
        batch: Batch,
        *,
        keys: Mapping[str, Array],
        iteration: Array,
    ) -> Learned:
        """Make `num_epochs` passes of minibatches; metrics are means over the updates."""
        entropy_coeff = schedule_value(self.config.entropy_coeff, iteration)
        learned = make_updates(
            partial(self._loss, entropy_coeff=entropy_coeff),
            variables,
            opt_state,
            batch,
            config=self.config,
            metrics=(*_MEANS, *self.auxiliary),
            optimizer=self.optimizer,
            keys=keys,
            iteration=iteration,
        )
        return learned._replace(metrics=learned.metrics | {"entropy_coeff": entropy_coeff})

    def _loss(
        self,
        variables: Variables,
        rows: Batch,
        mask: Array,
        key: Array | None,
        *,
        entropy_coeff: Array,
    ) -> Evaluated:
        config = self.config
        outputs, rows, mask, model_state = predict(self.network, variables, rows, mask, key=key)
        advantage = rows.targets["advantage"]
        if config.normalize_advantage:
            advantage = normalize(advantage, mask)
        terms = ppo_terms(
            logits=outputs.logits,
            value=outputs.value,
            legal_action_mask=rows.legal_action_mask,
            action=rows.action,
            old_log_prob=rows.targets.get("log_prob", rows.extras["log_prob"]),
            old_value=rows.extras["value"],
            advantage=advantage,
            target=rows.targets["target"],
            mask=mask,
            clip_eps=config.clip_eps,
            clip_range=config.clip_range,
            value_clip=_value_clip(config),
        )
        weighted = {
            "value_loss": config.value_coeff * terms.value,
            "policy_loss": terms.policy,
            "entropy_loss": -entropy_coeff * terms.entropy,
            "kl_loss": config.kl_coeff * terms.kl,
        }
        auxiliary, auxiliary_metrics = auxiliary_terms(
            self.auxiliary, outputs.auxiliary, rows.auxiliary, mask
        )
        total = sum(weighted.values(), jnp.float32(0.0)) + auxiliary
        metrics = {"total_loss": total, **weighted, "clipfrac": terms.clip_fraction}
        return total, (metrics | auxiliary_metrics, model_state)


# The clip of both ratios in the experiments of Espeholt et al. 2018.
_VTRACE_CLIP = 1.0

_MEANS = ("total_loss", "value_loss", "policy_loss", "entropy_loss", "kl_loss", "clipfrac")


def _log_probs(rollout: Rollout) -> tuple[Array, Array]:
    """Return the log-probability of each move under the agent, and its ratio to the mover's.

    Both are logarithms, `[T, N]` float32; the ratio's is 0 where the agent moved.
    """
    log_prob = log_prob_of(rollout.extras["log_probs"], rollout.action)
    if not rollout.behaviour:
        return log_prob, jnp.zeros_like(log_prob)
    log_ratio = log_prob - rollout.behaviour["log_prob"]
    return log_prob, jnp.where(rollout.behaviour["acted"], 0.0, log_ratio)


def _value_clip(config: spec.PPO) -> float | None:
    match config.value_clip:
        case True:
            return config.clip_eps
        case False | 0:
            return None
        case width:
            return float(width)
