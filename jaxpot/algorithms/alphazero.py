"""AlphaZero (Silver et al. 2018) over the rows of one iteration, or of the last few."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import attrs
import jax.numpy as jnp
import optax
from jax import Array

from jaxpot import spec
from jaxpot.algorithms.advantages import (
    Advantages,
    bootstrap,
    n_step_return,
    per_seat_gae,
    per_seat_return,
    played,
)
from jaxpot.algorithms.auxiliary import AuxiliaryLoss, auxiliary_terms
from jaxpot.algorithms.base import Batch, Decision, Learned, Rollout, Settle, View
from jaxpot.algorithms.losses import masked_mean, sample_action, search_terms
from jaxpot.algorithms.minibatches import predict
from jaxpot.algorithms.optimizers import init_optimizer
from jaxpot.algorithms.search import SearchOptions, SearchResult, require_searchable, search
from jaxpot.algorithms.updates import Evaluated, make_updates
from jaxpot.games.base import Environment
from jaxpot.models.base import Network, Params, Variables
from jaxpot.spec.configs.optimizers import OptimizerConfig


def build(
    config: spec.AlphaZero,
    *,
    env: Environment[Any],
    network: Network,
    optimizer: OptimizerConfig,
    auxiliary: Mapping[str, AuxiliaryLoss] = MappingProxyType({}),
) -> "AlphaZero":
    """Build the algorithm that `[algorithm] kind = "alphazero"` declares.

    Raises:
        UserError: The game or the network does not allow a search.
    """
    require_searchable(env, network, name="alphazero")
    return AlphaZero(
        config=config, env=env, network=network, optimizer=optimizer, auxiliary=auxiliary
    )


@attrs.frozen(kw_only=True)
class AlphaZero:
    """Act and learn by search; see `jaxpot.algorithms.base.Algorithm`."""

    config: spec.AlphaZero
    env: Environment[Any]
    network: Network
    optimizer: OptimizerConfig
    auxiliary: Mapping[str, AuxiliaryLoss] = attrs.field(hash=False)

    seq_len = None  # a search takes no recurrent network
    off_policy = False  # the loss needs a search's policy, which an opponent's move lacks

    @property
    def settle(self) -> Settle | None:
        """How outcomes are updated until the game ends; None for targets by the search's values."""
        return _add_rewards if self.config.value_target == "outcome" else None

    def act(self, variables: Variables, view: View, key: Array) -> Decision:
        """Search; record the search's policy and its value of the position."""
        found = self._search(variables, view, key)
        return Decision(found.action, {"weights": found.weights, "value": found.value}, view.carry)

    def act_as_opponent(self, variables: Variables, view: View, key: Array) -> Decision:
        """Sample from the network's policy, or search, as `opponent_acting` says."""
        if self.config.opponent_acting == "search":
            action = self._search(variables, view, key).action
        else:
            logits, _ = self.network.apply(variables, view.observation)
            action = sample_action(key, logits, view.legal_action_mask)
        return Decision(action, {}, view.carry)

    def targets(self, rollout: Rollout) -> tuple[dict[str, Array], Array]:
        """Compute the value's targets and which are known; every row has a policy target."""
        rows = _value_targets(self.config, rollout)
        targets = {"target": rows.target, "target_known": rows.known}
        return targets, jnp.ones_like(rows.known)

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
        return make_updates(
            self._loss,
            variables,
            opt_state,
            batch,
            config=self.config,
            metrics=(*_MEANS, *self.auxiliary),
            optimizer=self.optimizer,
            keys=keys,
            iteration=iteration,
        )

    def _search(self, variables: Variables, view: View, key: Array) -> SearchResult:
        return search(
            SearchOptions.of(self.config),
            self.env,
            self.network,
            variables,
            view.state,
            view.observation,
            key,
        )

    def _loss(self, variables: Variables, rows: Batch, mask: Array, key: Array | None) -> Evaluated:
        outputs, rows, mask, model_state = predict(self.network, variables, rows, mask, key=key)
        terms = search_terms(
            logits=outputs.logits,
            value=outputs.value,
            legal_action_mask=rows.legal_action_mask,
            weights=rows.extras["weights"],
            target=rows.targets["target"],
            target_known=rows.targets["target_known"],
            mask=mask,
        )
        value_loss = self.config.value_coeff * terms.value
        auxiliary, auxiliary_metrics = auxiliary_terms(
            self.auxiliary, outputs.auxiliary, rows.auxiliary, mask
        )
        total = terms.policy + value_loss + auxiliary
        metrics = {
            "total_loss": total,
            "value_loss": value_loss,
            "policy_loss": terms.policy,
            "search_kl": terms.kl,
            "search_entropy": terms.search_entropy,
            "policy_entropy": terms.policy_entropy,
            "search_value": masked_mean(rows.extras["value"], mask),
            "value_known": terms.known,
            **auxiliary_metrics,
        }
        return total, (metrics, model_state)


_MEANS = (
    *("total_loss", "value_loss", "policy_loss", "search_kl", "search_entropy"),
    *("policy_entropy", "search_value", "value_known"),
)


def _value_targets(config: spec.AlphaZero, rollout: Rollout) -> Advantages:
    """Compute the value's target of each row, for the seat that acted."""
    game, value = played(rollout), rollout.extras["value"]
    if config.value_target == "outcome":
        return per_seat_return(value=value, **game, gamma=1.0)
    end = bootstrap(rollout)
    by_step = config.gamma  # the discount of the search that computed the values
    if config.value_target == "n_step":
        steps = cast(int, config.n_step)
        return n_step_return(value=value, **game, **end, gamma=1.0, steps=steps, step_gamma=by_step)
    mix = cast(float, config.td_lambda)
    return per_seat_gae(value=value, **game, **end, gamma=1.0, gae_lambda=mix, step_gamma=by_step)


def _add_rewards(targets: dict[str, Array], paid: Array, ended: Array) -> dict[str, Array]:
    """Add later rewards to the outcomes, which are known once the game is over."""
    return {"target": targets["target"] + paid, "target_known": targets["target_known"] | ended}
