"""`Network`: a policy and value network as pure functions over nested dicts of arrays.

It is all that the rest of jaxpot sees of a model.

Axis letters: B rows, S steps of a sequence, M sequences, A actions, F features.
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import attrs
import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.models.memory import Carry, Sequences, unroll

Params: TypeAlias = dict[str, Any]
"""Nested dicts with string keys; the leaves are bare arrays."""

ModelState: TypeAlias = dict[str, Any]
"""Like `Params`, for variables that no gradient trains, such as running statistics."""

Observation: TypeAlias = Any
"""An array `[B, ...]`, or nested dicts of such arrays if a game shows several."""

ObservationShape: TypeAlias = Any
"""The shape of one observation, a tuple of ints; or nested dicts of shapes."""


@partial(
    # The order in which a dict's keys come: checkpoints and digests list the leaves in it.
    jax.tree_util.register_dataclass,
    data_fields=["model_state", "params"],
    meta_fields=[],
)
@dataclasses.dataclass(frozen=True)
class Variables:
    """All arrays of a network, a pytree: trained and other variables."""

    params: Params
    model_state: ModelState = dataclasses.field(default_factory=dict)


MakeModule: TypeAlias = Callable[[nnx.Rngs], Any]
"""Builds a `nnx.Module` from random streams; `from_module` lists the methods it needs."""


class Outputs(NamedTuple):
    """The outputs of a network for a batch of positions."""

    logits: Array
    """`[B, A] float32`, illegal actions not masked."""
    value: Array
    """`[B] float32`: the value for the player who sees the observation."""
    features: Array | None = None
    """`[B, F]`: the inputs of the heads; None if the module does not return them."""
    auxiliary: Mapping[str, Array] = {}
    """`[B, K] float32` by the auxiliary loss's name; only in training."""


class Training(NamedTuple):
    """Training-mode inputs, for a module that computes something else in training than in play."""

    rows: Array
    """`[B]` bool: the rows that count; running statistics leave out the others."""
    rngs: nnx.Rngs
    """`rngs.dropout()` draws a key for dropout."""


@attrs.frozen(kw_only=True, eq=False)
class Network:
    """A policy and value network that holds no arrays.

    The module's graph is split once, abstractly, when the network is made; nothing is allocated or
    compiled before `init` is called. Networks compare and hash by identity.

    Attributes:
        num_actions: A.
        observation_shape: The shape of one observation, or a tree of shapes.
        recurrent: Whether it carries state from one decision to the next.
        trains: Whether the module takes `training` in training.
    """

    num_actions: int
    observation_shape: ObservationShape
    recurrent: bool = False
    trains: bool = False
    make: MakeModule = attrs.field(repr=False)
    graphdef: nnx.GraphDef[Any] = attrs.field(repr=False)
    abstract_params: Mapping[Any, Any] = attrs.field(repr=False)
    abstract_state: Mapping[Any, Any] = attrs.field(repr=False)

    def init(self, key: Array) -> Variables:
        """Draw fresh variables: a pure function of `key`, the same under `jit` and `vmap`."""
        _, params, state = nnx.split(self.make(nnx.Rngs(key)), nnx.Param, ...)
        return Variables(
            _with_string_keys(nnx.to_pure_dict(params)), _with_string_keys(nnx.to_pure_dict(state))
        )

    def initial_carry(self, batch: int) -> Carry:
        """Return the carry at the start of a game, `[batch, ...]`; parameters do not change it."""
        if not self.recurrent:
            return ()
        module = nnx.merge(self.graphdef, self.abstract_params, self.abstract_state)
        return module.initial_carry(batch)

    def apply(self, variables: Variables, observation: Observation) -> tuple[Array, Array]:
        """Return the logits and values that `step` computes, of a network without memory."""
        if self.recurrent:
            raise ValueError("a recurrent network needs its carry: use `step`")
        outputs, _ = self.step(variables, observation, ())
        return outputs.logits, outputs.value

    def step(
        self, variables: Variables, observation: Observation, carry: Carry
    ) -> tuple[Outputs, Carry]:
        """Evaluate a batch of positions as in play: nothing is drawn, no variable changes.

        Args:
            variables: What `init` returned, or an update of it.
            observation: `[B, *observation_shape]`, of any bool, integer or float dtype.
            carry: `[B, ...]`: the seat's carry before the decision; `()` without memory.

        Returns:
            The outputs, and the seat's carry for its next decision.

        Raises:
            ValueError: The observation or the module's outputs have other shapes or dtypes.
        """
        (batch,) = self._leading(observation, 1)
        module, rest = self._module(variables)
        if self.recurrent:
            carry, y = module.cell(carry, module.encode(_as_float(observation)))
            given = module.heads(y)
        else:
            given = module(_as_float(observation))
        outputs = self._checked(given, batch)
        after = nnx.to_pure_dict(nnx.state(module, nnx.Not(nnx.Param))) if rest else rest
        if [*map(id, jax.tree.leaves(rest))] != [*map(id, jax.tree.leaves(after))]:
            raise ValueError(
                "the module changed its own variables while it was called (batch statistics, "
                "a random stream); a network's call in play must be pure"
            )
        return outputs, carry

    def train(
        self,
        variables: Variables,
        observation: Observation,
        *,
        rows: Array,
        key: Array | None = None,
        sequences: Sequences | None = None,
    ) -> tuple[Outputs, ModelState]:
        """Evaluate a minibatch as in training: with dropout, and moving running statistics.

        Args:
            variables: What `init` returned, or an update of it.
            observation: `[B, *observation_shape]`; for a recurrent network `[S, M, ...]`.
            rows: `[B]` or `[S, M]` bool: the rows that count.
            key: A key of the stream `dropout`; None for a model that draws nothing.
            sequences: The sequences of a recurrent network; None for any other.

        Returns:
            The outputs, `[B, ...]` or `[S * M, ...]`, and the next model state.

        Raises:
            ValueError: The observation or the module's outputs have other shapes or dtypes.
        """
        module, rest = self._module(variables)
        train_kwargs: dict[str, Any] = {}
        if self.trains:
            rngs = nnx.Rngs() if key is None else nnx.Rngs(dropout=key)
            train_kwargs["training"] = Training(rows.reshape(-1), rngs)
        if self.recurrent:
            if sequences is None:
                raise ValueError("a recurrent network is trained on sequences")
            self._leading(observation, 2)
            given = unroll(module, _as_float(observation), sequences, train_kwargs)
        else:
            self._leading(observation, 1)
            given = module(_as_float(observation), **train_kwargs)
        outputs = self._checked(given, rows.size)
        state = nnx.to_pure_dict(nnx.state(module, nnx.Not(nnx.Param))) if rest else {}
        return outputs, _with_string_keys(state)

    def _module(self, variables: Variables) -> tuple[Any, Mapping[Any, Any]]:
        params = _with_own_keys(self.abstract_params, variables.params)
        rest = _with_own_keys(self.abstract_state, variables.model_state)
        return nnx.merge(self.graphdef, params, rest), rest

    def _leading(self, observation: Observation, axes: int) -> tuple[int, ...]:
        """Return the sizes of the first `axes` axes, which all arrays of an observation share.

        Raises:
            ValueError: They do not, or the rest is not `observation_shape`.
        """
        names = "B" if axes == 1 else "S, M"
        leading: set[tuple[int, ...]] = set()

        def check(shape: tuple[int, ...], x: Array) -> None:
            if x.ndim < axes or x.shape[axes:] != shape:
                expected = ", ".join([names, *map(str, shape)])
                raise ValueError(f"observation has shape {x.shape}; expected [{expected}]")
            leading.add(x.shape[:axes])

        jax.tree.map(check, self.observation_shape, observation, is_leaf=is_shape)
        if len(leading) != 1:
            raise ValueError(f"the observation's arrays differ in [{names}]: {sorted(leading)}")
        return leading.pop()

    def _checked(self, given: Any, rows: int) -> Outputs:
        outputs = given if isinstance(given, Outputs) else Outputs(*given)
        expected = {"logits": (rows, self.num_actions), "value": (rows,)}
        for what, shape in expected.items():
            array = getattr(outputs, what)
            if array.shape != shape or array.dtype != jnp.float32:
                raise ValueError(
                    f"the module gave {what} {array.dtype}{list(array.shape)}; expected "
                    f"float32{list(shape)}"
                )
        return outputs


def from_module(
    make: MakeModule,
    *,
    observation_shape: ObservationShape,
    num_actions: int,
    recurrent: bool = False,
    trains: bool = False,
) -> Network:
    """Wrap a flax.nnx module as a `Network`.

    A module without memory is called with observations `[B, *observation_shape] float32` and
    returns `Outputs`, or the pair of logits and value. A recurrent one has these methods instead:

    - `initial_carry(batch)`: a pytree of `[batch, ...] float32`, the same for all parameters;
    - `encode(observation)`: `[B, ...]` to `[B, E]`, for all steps of a sequence at once;
    - `cell(carry, x)`: one step, to the next carry and `[B, F]`;
    - `heads(y)`: `[B, F]` to what a module without memory returns.

    Args:
        make: Builds the module from its random streams. It must only allocate variables, so that
            it can be traced.
        observation_shape: The shape of one observation, or nested dicts of shapes.
        num_actions: A.
        recurrent: Whether the module is recurrent.
        trains: Whether training passes `training`, a `Training`, to the module's call or to
            `encode` and `heads`, as dropout and running statistics need. Without it the module
            computes the same in training as in play.
    """
    module = nnx.eval_shape(lambda: make(nnx.Rngs(jax.random.key(0))))
    graphdef, params, state = nnx.split(module, nnx.Param, ...)
    return Network(
        num_actions=num_actions,
        observation_shape=observation_shape,
        recurrent=recurrent,
        trains=trains,
        make=make,
        graphdef=graphdef,
        abstract_params=nnx.to_pure_dict(params),
        abstract_state=nnx.to_pure_dict(state),
    )


def count_parameters(network: Network) -> int:
    """Count the trained scalars of a network, without allocating any."""
    return sum(leaf.size for leaf in jax.tree.leaves(network.abstract_params))


def is_shape(shape: ObservationShape) -> bool:
    """Return whether it is the shape of one array, not a tree of shapes."""
    return isinstance(shape, tuple)


def _as_float(observation: Observation) -> Observation:
    return jax.tree.map(lambda x: x.astype(jnp.float32), observation)


def _with_string_keys(tree: Mapping[Any, Any]) -> dict[str, Any]:
    """Name the items of flax's lists "0", "1", ..., so that every key is a string."""
    return {
        str(key): _with_string_keys(child) if isinstance(child, Mapping) else child
        for key, child in tree.items()
    }


def _with_own_keys(template: Mapping[Any, Any], tree: Mapping[str, Any]) -> dict[Any, Any]:
    """Undo `_with_string_keys`, by the keys of the module's own abstract tree."""
    return {
        key: _with_own_keys(child, tree[str(key)]) if isinstance(child, Mapping) else tree[str(key)]
        for key, child in template.items()
    }
