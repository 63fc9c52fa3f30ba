"""What the rest of jaxpot sees of a model: `Network`, pure functions over nested dicts.

Axis letters: B rows, S steps of a sequence, M sequences, A actions, F features.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import attrs
import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from jaxpot.models.memory import Carry
from jaxpot.models.trees import same_leaves, with_own_keys, with_string_keys
from jaxpot.models.unrolling import unroll

Params: TypeAlias = dict[str, Any]
"""Nested dicts with string keys; the leaves are bare arrays."""

ModelState: TypeAlias = dict[str, Any]
"""Like `Params`, for a module's variables that are not trained, such as running statistics."""

Observation: TypeAlias = Any
"""An array `[B, ...]`, or nested dicts of such arrays where a game shows several."""

ObservationShape: TypeAlias = Any
"""The shape of one observation, a tuple of ints; or nested dicts of shapes."""

MakeModule: TypeAlias = Callable[[nnx.Rngs], Any]
"""Builds a `nnx.Module`; `from_module` says what it is called with."""


class Outputs(NamedTuple):
    """What a network says of a batch of positions."""

    logits: Array
    """`[B, A] float32`, illegal actions not masked."""
    value: Array
    """`[B] float32`: of the player whose view it is."""
    features: Array | None = None
    """`[B, F]`: what the heads read; None where the module does not tell, as it need not."""
    auxiliary: Mapping[str, Array] = {}
    """`[B, K] float32` by the auxiliary loss's name; in training only."""


class Training(NamedTuple):
    """What a module that trains otherwise than it plays is told while it trains."""

    rows: Array
    """`[B]` bool: the rows that count; running statistics leave out the others."""
    rngs: nnx.Rngs
    """Of which `rngs.dropout()` draws dropout's keys."""


class Sequences(NamedTuple):
    """What a recurrent network needs beside the observations of `M` sequences of `S` steps."""

    memory: Carry
    """`[M, 2, ...]`: both seats' carries before the first step."""
    seat: Array
    """`[S, M]` int32: the seat that saw the step."""
    done: Array
    """`[S, M]` bool: the game ended with the step, so both carries start anew."""


@attrs.frozen(kw_only=True, eq=False)
class Network:
    """A policy and value network without arrays of its own.

    The module's graph is taken apart once, abstractly, when the network is made; nothing is
    allocated or compiled before `init` is called. Networks compare and hash by identity.

    Attributes:
        num_actions: A.
        observation_shape: The shape of one observation, or a tree of shapes.
        recurrent: Whether it carries something from one decision to the next.
        trains: Whether the module is told that it trains.
    """

    num_actions: int
    observation_shape: ObservationShape
    recurrent: bool = False
    trains: bool = False
    make: MakeModule = attrs.field(repr=False)
    graphdef: nnx.GraphDef[Any] = attrs.field(repr=False)
    abstract_params: Mapping[Any, Any] = attrs.field(repr=False)
    abstract_state: Mapping[Any, Any] = attrs.field(repr=False)

    def init(self, key: Array) -> tuple[Params, ModelState]:
        """Draws fresh parameters: a pure function of `key`, the same under `jit` and `vmap`."""
        _, params, state = nnx.split(self.make(nnx.Rngs(key)), nnx.Param, ...)
        return with_string_keys(nnx.to_pure_dict(params)), with_string_keys(nnx.to_pure_dict(state))

    def initial_carry(self, batch: int) -> Carry:
        """Returns what a game begins with: `[batch, ...]`, whatever the parameters."""
        if not self.recurrent:
            return ()
        return nnx.merge(self.graphdef, self.abstract_params, self.abstract_state).initial_carry(
            batch
        )

    def apply(
        self, params: Params, model_state: ModelState, observation: Observation
    ) -> tuple[Array, Array]:
        """Evaluates the policy and the value of a batch of positions, without memory.

        Args:
            params: What `init` returned, or an update of it.
            model_state: What `init` returned, or an update of it.
            observation: `[B, *observation_shape]`, of any bool, integer or float dtype.

        Returns:
            Logits `[B, A] float32`, illegal actions not masked, and values `[B] float32`.

        Raises:
            ValueError: The observation or the module's outputs have other shapes or dtypes, or
                the network is recurrent.
        """
        if self.recurrent:
            raise ValueError("a recurrent network needs its carry: use `step`")
        outputs, _ = self.step(params, model_state, observation, ())
        return outputs.logits, outputs.value

    def step(
        self, params: Params, model_state: ModelState, observation: Observation, carry: Carry
    ) -> tuple[Outputs, Carry]:
        """Evaluates a batch of positions as in play: nothing is drawn, no variable changes.

        Args:
            params: What `init` returned, or an update of it.
            model_state: What `init` returned, or an update of it.
            observation: `[B, *observation_shape]`, of any bool, integer or float dtype.
            carry: `[B, ...]`: what the seat carries into the decision; `()` without memory.

        Returns:
            The outputs, and what the seat carries into its next decision.

        Raises:
            ValueError: The observation or the module's outputs have other shapes or dtypes.
        """
        (batch,) = self._leading(observation, 1)
        module, rest = self._module(params, model_state)
        if self.recurrent:
            carry, y = module.cell(carry, module.encode(_as_float(observation)))
            given = module.heads(y)
        else:
            given = module(_as_float(observation))
        outputs = self._checked(given, batch)
        if rest and not same_leaves(rest, nnx.to_pure_dict(nnx.state(module, nnx.Not(nnx.Param)))):
            raise ValueError(
                "the module changed its own variables while it was called (batch statistics, "
                "a random stream); a network's call in play must be pure"
            )
        return outputs, carry

    def train(
        self,
        params: Params,
        model_state: ModelState,
        observation: Observation,
        *,
        rows: Array,
        key: Array | None = None,
        sequences: Sequences | None = None,
    ) -> tuple[Outputs, ModelState]:
        """Evaluates a minibatch as in training: with dropout, and moving running statistics.

        Args:
            params: What `init` returned, or an update of it.
            model_state: What `init` returned, or an update of it.
            observation: `[B, *observation_shape]`; of a recurrent network `[S, M, ...]`.
            rows: `[B]` or `[S, M]` bool: the rows that count.
            key: Of the stream `dropout`; None for a model that draws nothing.
            sequences: What a recurrent network needs besides; None of any other.

        Returns:
            The outputs, `[B, ...]` or `[S * M, ...]`, and the model state to go on with.

        Raises:
            ValueError: The observation or the module's outputs have other shapes or dtypes.
        """
        module, rest = self._module(params, model_state)
        told: dict[str, Any] = {}
        if self.trains:
            rngs = nnx.Rngs() if key is None else nnx.Rngs(dropout=key)
            told["training"] = Training(rows.reshape(-1), rngs)
        if self.recurrent:
            if sequences is None:
                raise ValueError("a recurrent network is trained on sequences")
            self._leading(observation, 2)
            given = unroll(module, _as_float(observation), sequences, told)
        else:
            self._leading(observation, 1)
            given = module(_as_float(observation), **told)
        outputs = self._checked(given, rows.size)
        state = nnx.to_pure_dict(nnx.state(module, nnx.Not(nnx.Param))) if rest else {}
        return outputs, with_string_keys(state)

    def _module(self, params: Params, model_state: ModelState) -> tuple[Any, Mapping[Any, Any]]:
        rest = with_own_keys(self.abstract_state, model_state)
        return nnx.merge(self.graphdef, with_own_keys(self.abstract_params, params), rest), rest

    def _leading(self, observation: Observation, axes: int) -> tuple[int, ...]:
        """Returns the axes before an observation's own, the same of every array.

        Raises:
            ValueError: The observation is another.
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
        _expect(outputs.logits, "logits", (rows, self.num_actions))
        _expect(outputs.value, "value", (rows,))
        return outputs


def from_module(
    make: MakeModule,
    *,
    observation_shape: ObservationShape,
    num_actions: int,
    recurrent: bool = False,
    trains: bool = False,
) -> Network:
    """Wraps a flax.nnx module as a `Network`.

    A module without memory is called with observations `[B, *observation_shape] float32` and
    returns `Outputs`, or the pair of logits and value. A recurrent one has instead

    - `initial_carry(batch)`: a pytree of `[batch, ...] float32`, the same for every parameter;
    - `encode(observation)`: `[B, ...]` to `[B, E]`, for all steps of a sequence at once;
    - `cell(carry, x)`: one step, to the next carry and `[B, F]`;
    - `heads(y)`: `[B, F]` to what a module without memory returns.

    Args:
        make: Builds the module from its random streams; it must allocate variables only, so that
            it can be traced.
        observation_shape: The shape of one observation, or nested dicts of shapes.
        num_actions: A.
        recurrent: Whether the module is a recurrent one.
        trains: Whether in training the module's call, or `encode` and `heads`, are given
            `training`, a `Training`, as dropout and running statistics need. Without it the module
            computes in training what it computes in play.
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
    """Counts the trained scalars of a network, without allocating any."""
    return sum(leaf.size for leaf in jax.tree.leaves(network.abstract_params))


def is_shape(shape: ObservationShape) -> bool:
    """Says whether it is the shape of one array, not a tree of shapes."""
    return isinstance(shape, tuple)


def _as_float(observation: Observation) -> Observation:
    return jax.tree.map(lambda x: x.astype(jnp.float32), observation)


def _expect(array: Array, what: str, shape: tuple[int, ...]) -> None:
    if array.shape != shape or array.dtype != jnp.float32:
        raise ValueError(
            f"the module gave {what} {array.dtype}{list(array.shape)}; expected "
            f"float32{list(shape)}"
        )
