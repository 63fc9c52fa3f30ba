"""AlphaZero's losses over one minibatch, every mean taken over the rows that have a target.

Axis letters: B rows, A actions.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.algorithms.losses import masked_mean
from jaxpot.algorithms.policy import entropy, mask_illegal


class SearchTerms(NamedTuple):
    """The terms of the loss, unweighted, and what is told of them; float32 scalars."""

    policy: Array
    value: Array
    kl: Array
    """Divergence of the network's policy from the search's."""
    search_entropy: Array
    policy_entropy: Array
    known: Array
    """Share of the rows whose value has a target."""


def search_terms(
    *,
    logits: Array,
    value: Array,
    legal_action_mask: Array,
    weights: Array,
    target: Array,
    target_known: Array,
    mask: Array,
) -> SearchTerms:
    """Computes AlphaZero's loss (Silver et al. 2018, equation 1), without the decay of weights.

    The policy's is the cross-entropy over legal actions of the network's against the search's; the
    value's the squared error, over the rows alone whose target is known.

    Args:
        logits: `[B, A]` float32.
        value: `[B]` float32.
        legal_action_mask: `[B, A]` bool.
        weights: `[B, A]` float32, the search's policy: 0 on illegal actions.
        target: `[B]` float32, the value's target.
        target_known: `[B]` bool, whether there is one.
        mask: `[B]` bool, the rows that count.
    """
    log_probs = jax.nn.log_softmax(mask_illegal(logits, legal_action_mask))
    # On illegal actions 0 times a logarithm near minus infinity must not be formed.
    safe = jnp.where(legal_action_mask, log_probs, 0.0)
    cross_entropy = masked_mean(-(weights * safe).sum(axis=-1), mask)
    search_entropy = masked_mean(jax.scipy.special.entr(weights).sum(axis=-1), mask)
    return SearchTerms(
        policy=cross_entropy,
        value=masked_mean(jnp.square(value - target), mask & target_known),
        kl=cross_entropy - search_entropy,
        search_entropy=search_entropy,
        policy_entropy=masked_mean(entropy(log_probs, legal_action_mask), mask),
        known=masked_mean(target_known.astype(jnp.float32), mask),
    )
