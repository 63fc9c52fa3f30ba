"""What the rest of jaxpot sees of a model: `Network`, two pure functions over nested dicts.

Axis letters: B batch, A actions.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs
import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

Params: TypeAlias = dict[str, Any]
"""Nested dicts with string keys; the leaves are bare arrays."""

ModelState: TypeAlias = dict[str, Any]
"""Like `Params`, for a module's variables that are not trained; empty for jaxpot's own models."""

MakeModule: TypeAlias = Callable[[nnx.Rngs], nnx.Module]
"""Builds a module whose call maps observations `[B, ...] float32` to `(logits, value)`."""


@attrs.frozen(kw_only=True, eq=False)
class Network:
    """A policy and value network without arrays of its own.

    The module's graph is taken apart once, abstractly, when the network is made; nothing is
    allocated or compiled before `init` is called. Networks compare and hash by identity.
    """

    num_actions: int
    observation_shape: tuple[int, ...]
    make: MakeModule = attrs.field(repr=False)
    graphdef: nnx.GraphDef[Any] = attrs.field(repr=False)
    abstract_params: Mapping[Any, Any] = attrs.field(repr=False)
    abstract_state: Mapping[Any, Any] = attrs.field(repr=False)

    def init(self, key: Array) -> tuple[Params, ModelState]:
        """Draws fresh parameters: a pure function of `key`, the same under `jit` and `vmap`."""
        _, params, state = nnx.split(self.make(nnx.Rngs(key)), nnx.Param, ...)
        return _with_string_keys(nnx.to_pure_dict(params)), _with_string_keys(
            nnx.to_pure_dict(state)
        )

    def apply(
        self, params: Params, model_state: ModelState, observation: Array
    ) -> tuple[Array, Array]:
        """Evaluates the policy and the value of a batch of observations.

        Args:
            params: What `init` returned, or an update of it.
            model_state: What `init` returned.
            observation: `[B, *observation_shape]`, of any bool, integer or float dtype.

        Returns:
            Logits `[B, A] float32`, illegal actions not masked, and values `[B] float32`.

        Raises:
            ValueError: The observation or the module's outputs have other shapes or dtypes.
        """
        if observation.shape[1:] != self.observation_shape or observation.ndim == 0:
            raise ValueError(
                f"observation has shape {observation.shape}; expected "
                f"[B, {', '.join(map(str, self.observation_shape))}]"
            )
        rest = _with_own_keys(self.abstract_state, model_state)
        module = nnx.merge(self.graphdef, _with_own_keys(self.abstract_params, params), rest)
        logits, value = module(observation.astype(jnp.float32))
        batch = observation.shape[0]
        _expect(logits, "logits", (batch, self.num_actions))
        _expect(value, "value", (batch,))
        if rest and not _same_leaves(rest, nnx.to_pure_dict(nnx.state(module, nnx.Not(nnx.Param)))):
            raise ValueError(
                "the module changed its own variables while it was called (batch statistics, "
                "a random stream); a network's call must be pure"
            )
        return logits, value


def from_module(
    make: MakeModule, *, observation_shape: tuple[int, ...], num_actions: int
) -> Network:
    """Wraps a flax.nnx module as a `Network`.

    Args:
        make: Builds the module from its random streams; it must allocate parameters only, so
            that it can be traced. The module maps observations `[B, *observation_shape]
            float32` to logits `[B, A] float32` and values `[B] float32`.
        observation_shape: The shape of one observation.
        num_actions: A.
    """
    module = nnx.eval_shape(lambda: make(nnx.Rngs(jax.random.key(0))))
    graphdef, params, state = nnx.split(module, nnx.Param, ...)
    return Network(
        num_actions=num_actions,
        observation_shape=tuple(observation_shape),
        make=make,
        graphdef=graphdef,
        abstract_params=nnx.to_pure_dict(params),
        abstract_state=nnx.to_pure_dict(state),
    )


def count_parameters(network: Network) -> int:
    """Counts the trained scalars of a network, without allocating any."""
    return sum(leaf.size for leaf in jax.tree.leaves(network.abstract_params))


def _with_string_keys(tree: Mapping[Any, Any]) -> dict[str, Any]:
    """Names the items of flax's lists "0", "1", ..., so that every key is a string."""
    return {
        str(key): _with_string_keys(child) if isinstance(child, Mapping) else child
        for key, child in tree.items()
    }


def _with_own_keys(template: Mapping[Any, Any], tree: Mapping[str, Any]) -> dict[Any, Any]:
    """Undoes `_with_string_keys`, by the keys of the module's own abstract tree."""
    return {
        key: _with_own_keys(child, tree[str(key)]) if isinstance(child, Mapping) else tree[str(key)]
        for key, child in template.items()
    }


def _same_leaves(tree: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    leaves, other_leaves = jax.tree.leaves(tree), jax.tree.leaves(other)
    return len(leaves) == len(other_leaves) and all(
        leaf is other_leaf for leaf, other_leaf in zip(leaves, other_leaves, strict=True)
    )


def _expect(array: Array, what: str, shape: tuple[int, ...]) -> None:
    if array.shape != shape or array.dtype != jnp.float32:
        raise ValueError(
            f"the module gave {what} {array.dtype}{list(array.shape)}; expected "
            f"float32{list(shape)}"
        )
