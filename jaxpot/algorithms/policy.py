"""Distributions over legal actions."""

import jax
import jax.numpy as jnp
from jax import Array


def mask_illegal(logits: Array, legal_action_mask: Array) -> Array:
    """Give illegal actions the lowest finite logit, so that their probability is exactly zero."""
    return jnp.where(legal_action_mask, logits, jnp.finfo(logits.dtype).min)


def log_prob_of(log_probs: Array, action: Array) -> Array:
    """Return `log_probs[..., action]`: `[B, A]` and `[B]` give `[B]`."""
    # A gather's gradient is a scatter, slow on a CPU; a product with one-hot rows is not.
    chosen = jax.nn.one_hot(action, log_probs.shape[-1], dtype=jnp.bool_)
    return jnp.where(chosen, log_probs, 0.0).sum(axis=-1)


def entropy(log_probs: Array, legal_action_mask: Array) -> Array:
    """Return the entropy in nats over legal actions: `[B, A]` gives `[B]`."""
    # Outside the legal actions p * log p may be 0 * -inf; its gradient must not be formed.
    safe = jnp.where(legal_action_mask, log_probs, 0.0)
    return -jnp.where(legal_action_mask, jnp.exp(safe) * safe, 0.0).sum(axis=-1)


def greedy_action(logits: Array, legal_action_mask: Array) -> Array:
    """Return the likeliest legal action, the lowest of equals: `[B, A]` gives `[B]` int32."""
    return jnp.argmax(mask_illegal(logits, legal_action_mask), axis=-1).astype(jnp.int32)


def sample_action(key: Array, logits: Array, legal_action_mask: Array) -> Array:
    """Draw a legal action from the policy: `[B, A]` gives `[B]` int32; `key` is consumed.

    The action is the one that `jax.random.categorical` draws, by the Gumbel-max trick.
    """
    # The noise of a flat array has the bits of a shaped one, and compiles in a quarter of the time
    # on a CPU (0.2 s against 0.8 s for [512, 9], 0.3 s against 1.9 s under `vmap`).
    noise = jax.random.gumbel(key, (logits.size,), logits.dtype).reshape(logits.shape)
    return jnp.argmax(noise + mask_illegal(logits, legal_action_mask), axis=-1).astype(jnp.int32)
