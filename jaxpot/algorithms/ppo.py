"""Proximal policy optimisation (Schulman et al. 2017) over the rows of one iteration."""

from typing import Any

import attrs
import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxpot import spec
from jaxpot.algorithms.advantages import per_seat_gae
from jaxpot.algorithms.base import Batch, Decision, Learned, Rollout
from jaxpot.algorithms.losses import PPOTerms, normalize, ppo_terms
from jaxpot.algorithms.minibatches import for_each_minibatch, shuffled_rows
from jaxpot.algorithms.optimizers import clipped_norm, init_optimizer, make_optimizer
from jaxpot.algorithms.policy import log_prob_of, mask_illegal, sample_action
from jaxpot.algorithms.schedules import schedule_value
from jaxpot.models.base import ModelState, Network, Params
from jaxpot.spec.optimizers import OptimizerConfig


def build(config: spec.PPO, *, network: Network, optimizer: OptimizerConfig) -> "PPO":
    """Builds the algorithm that `[algorithm] kind = "ppo"` declares."""
    return PPO(config=config, network=network, optimizer=optimizer)


@attrs.frozen(kw_only=True)
class PPO:
    """PPO with per-seat advantages; see `jaxpot.algorithms.base.Algorithm`."""

    config: spec.PPO
    network: Network
    optimizer: OptimizerConfig

    def act(
        self,
        params: Params,
        model_state: ModelState,
        observation: Array,
        legal_action_mask: Array,
        key: Array,
    ) -> Decision:
        """Samples from the policy; records the action's log-probability and the value."""
        logits, value = self.network.apply(params, model_state, observation)
        action = sample_action(key, logits, legal_action_mask)
        log_probs = jax.nn.log_softmax(mask_illegal(logits, legal_action_mask))
        log_prob = log_prob_of(log_probs, action)
        return Decision(action, {"log_prob": log_prob, "value": value})

    def targets(self, rollout: Rollout) -> tuple[dict[str, Array], Array]:
        """Computes advantages and value targets; a row past which nothing is known has none."""
        rows = per_seat_gae(
            value=rollout.extras["value"],
            reward=rollout.reward,
            done=rollout.done,
            seat=rollout.seat,
            final_value=rollout.final_value,
            final_known=rollout.final_known,
            gamma=self.config.gamma,
            gae_lambda=self.config.gae_lambda,
        )
        return {"advantage": rows.advantage, "target": rows.target}, rows.known

    def init(self, params: Params) -> optax.OptState:
        """Returns the optimizer's state before the first update."""
        return init_optimizer(self.optimizer, params)

    def update(
        self,
        params: Params,
        model_state: ModelState,
        opt_state: Any,
        batch: Batch,
        *,
        key: Array,
        iteration: Array,
    ) -> Learned:
        """Makes `num_epochs` passes of minibatches; metrics are means over the updates."""
        config = self.config
        learning_rate = schedule_value(self.optimizer.learning_rate, iteration)
        entropy_coeff = schedule_value(config.entropy_coeff, iteration)
        optimizer = make_optimizer(self.optimizer, learning_rate)

        def loss(params: Params, rows: Batch, mask: Array) -> tuple[Array, dict[str, Array]]:
            terms = self._terms(params, model_state, rows, mask)
            weighted = {
                "value_loss": config.value_coeff * terms.value,
                "policy_loss": terms.policy,
                "entropy_loss": -entropy_coeff * terms.entropy,
                "kl_loss": config.kl_coeff * terms.kl,
            }
            total = sum(weighted.values(), jnp.float32(0.0))
            return total, {"total_loss": total, **weighted, "clipfrac": terms.clip_fraction}

        def step(carry: Any, rows: Batch, mask: Array) -> Any:
            params, opt_state, sums = carry
            (_, metrics), grads = jax.value_and_grad(loss, has_aux=True)(params, rows, mask)
            norm = optax.tree.norm(grads)
            metrics |= {"grad_norm": norm, "grad_norm_clipped": clipped_norm(norm, self.optimizer)}
            updates, opt_state = optimizer.update(grads, opt_state, params)
            params = optax.apply_updates(params, updates)
            return params, opt_state, jax.tree.map(jnp.add, sums, metrics)

        num_valid = batch.valid.sum(dtype=jnp.int32)
        zeros = {name: jnp.float32(0.0) for name in _MEANS}
        (params, opt_state, sums), updates = for_each_minibatch(
            step,
            (params, opt_state, zeros),
            rows=batch,
            orders=self._orders(key, batch.valid),
            num_valid=num_valid,
            batch_size=config.batch_size,
            num_epochs=config.num_epochs,
        )
        count = jnp.maximum(updates, 1).astype(jnp.float32)
        means = {name: value / count for name, value in sums.items()}
        rates = {"entropy_coeff": entropy_coeff, "iteration/learning_rate": learning_rate}
        return Learned(params, model_state, opt_state, means | rates)

    def _terms(self, params: Params, model_state: ModelState, rows: Batch, mask: Array) -> PPOTerms:
        logits, value = self.network.apply(params, model_state, rows.observation)
        advantage = rows.targets["advantage"]
        if self.config.normalize_advantage:
            advantage = normalize(advantage, mask)
        return ppo_terms(
            logits=logits,
            value=value,
            legal_action_mask=rows.legal_action_mask,
            action=rows.action,
            old_log_prob=rows.extras["log_prob"],
            old_value=rows.extras["value"],
            advantage=advantage,
            target=rows.targets["target"],
            mask=mask,
            clip_eps=self.config.clip_eps,
            value_clip=_value_clip(self.config),
        )

    def _orders(self, key: Array, valid: Array) -> Array:
        if self.config.shuffle == "iteration":
            return shuffled_rows(key, valid)[None]
        keys = jax.random.split(key, self.config.num_epochs)
        return jnp.stack([shuffled_rows(keys[epoch], valid) for epoch in range(keys.shape[0])])


_MEANS = (
    "total_loss",
    "value_loss",
    "policy_loss",
    "entropy_loss",
    "kl_loss",
    "clipfrac",
    "grad_norm",
    "grad_norm_clipped",
)


def _value_clip(config: spec.PPO) -> float | None:
    match config.value_clip:
        case True:
            return config.clip_eps
        case False | 0:
            return None
        case width:
            return float(width)
