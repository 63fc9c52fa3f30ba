"""Lower a phase graph into pure functions: a fold that holds each phase to its declaration."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpot.errors import UserError
from jaxpot.loop.context import Context, PhaseFunction, resolve
from jaxpot.loop.digest import leaf_paths
from jaxpot.loop.graph import PhaseGraph, Regime
from jaxpot.loop.phase import Phase, State, stream_value
from jaxpot.loop.streams import IMPLEMENTATION, stream_key
from jaxpot.spec import PayloadKey

Values = dict[str, Any]
Lowered = Callable[[Values], tuple[Values, Values]]
"""From the values that phases find to what they write, and their metrics."""

ROOT_KEY_SHAPE = jax.ShapeDtypeStruct((2,), np.uint32)


class PhaseError(UserError):
    """A phase reads, writes or emits something other than what it declares."""


class IterationOutput(NamedTuple):
    """An iteration's output on the device, apart from the state; fetched in batches."""

    words: Array
    """`[3 + I + F]` uint32: what `unpack` reads. One array, since each one fetched has its cost."""
    leaf_digests: Array
    """`[L, 2]` uint32; fetched only if they are recorded."""


class IterationRow(NamedTuple):
    """An iteration's `words` on the host."""

    metrics: dict[str, int | float]
    digest: np.ndarray
    """`[2]` uint32: the state's digest."""
    nonfinite: bool
    """Whether this update, or one before it, was non-finite."""


class Given(dict[str, Any]):
    """The values that a phase may read; reading another one is a `PhaseError`."""

    def __init__(self, phase: Phase, values: Values) -> None:
        super().__init__(values)
        self._phase = phase

    def __missing__(self, name: str) -> Any:
        raise PhaseError(
            f"phase {self._phase.name!r} reads {name!r} but declares only "
            f"{', '.join(sorted(self)) or 'nothing'}"
        )


def start_values(state: State, root_key: Any) -> Values:
    """Return the values that the first phase of an iteration finds."""
    previous = {f"previous.{name}": value for name, value in state.items()}
    return {**state, **previous, "root_key": root_key, "now": state["iteration"]}


def inputs_of(phase: Phase, values: Mapping[str, Any]) -> Values:
    """Pick the values that a phase is given, with what the keys of its streams are made from."""
    given = {name: values[name] for name in phase.reads}
    given |= {name: values[name] for name in phase.reads_if_present if name in values}
    if phase.streams:
        given |= {"root_key": values["root_key"], "now": values["now"]}
    return given


def group_inputs(phases: Sequence[Phase], values: Values) -> Values:
    """Pick the values that a group of phases is given from outside of the group."""
    given: Values = {}
    written: dict[str, None] = {}
    for phase in phases:
        wanted = inputs_of(phase, values | written)
        given |= {name: value for name, value in wanted.items() if name not in written}
        written |= dict.fromkeys(phase.writes)
    return given


def evaluation_inputs(
    phase: Phase, constants: Mapping[str, Any], state: State, root_key: Any, now: Any
) -> Values:
    """Pick the values that an evaluator's phase is given after the iteration `now`."""
    values = start_values(state, root_key) | {"now": now}
    return inputs_of(phase, values) | {"constants": constants}


def lower_phase(phase: Phase, context: Context) -> Lowered:
    """Return a phase as a pure function of `inputs_of(phase, values)`.

    Raises:
        PhaseError: When traced, if the phase does not keep to its declaration.
    """
    function = build_phase(phase, context)
    emitted = {key.name for key in device_keys(phase)}

    def run(given: Values) -> tuple[Values, Values]:
        values = dict(given)
        if phase.streams:
            root = jax.random.wrap_key_data(values.pop("root_key"), impl=IMPLEMENTATION)
            now = values.pop("now")
            for name in phase.streams:
                values[stream_value(name)] = stream_key(root, name, now)
        writes, metrics = function(Given(phase, values))
        require_same(phase, "writes", set(writes), set(phase.writes))
        require_same(phase, "emits", set(metrics), emitted)
        return writes, metrics

    return run


def build_phase(phase: Phase, context: Context) -> PhaseFunction:
    if phase.implementation is None:
        raise PhaseError(f"phase {phase.name!r} has no implementation")
    return resolve(phase.implementation)(context, phase)


def require_same(phase: Phase, verb: str, actual: set[str], declared: set[str]) -> None:
    """Refuse a phase that writes or emits more or less than it declares."""
    if actual != declared:
        more, less = sorted(actual - declared), sorted(declared - actual)
        parts = [f"undeclared: {', '.join(more)}"] if more else []
        parts += [f"missing: {', '.join(less)}"] if less else []
        raise PhaseError(
            f"phase {phase.name!r} {verb} other values than declared ({'; '.join(parts)})"
        )


def lower_phases(phases: Sequence[Phase], context: Context) -> Lowered:
    """Return several phases, one after another, as one pure function."""
    functions = [(phase, lower_phase(phase, context)) for phase in phases]

    def run(values: Values) -> tuple[Values, Values]:
        written: Values = {}
        metrics: Values = {}
        for phase, function in functions:
            writes, emitted = function(inputs_of(phase, values | written))
            written |= writes
            metrics |= emitted
        return written, metrics

    return run


def lower_iteration(
    graph: PhaseGraph, regime: Regime, context: Context
) -> Callable[[State, State, Array], tuple[State, IterationOutput]]:
    """Return one iteration of `regime` as a pure function.

    It takes the fields that change, those that do not, and the root key's data. It returns the
    fields that changed and the iteration's output.
    """
    run = lower_phases(regime.phases, context)

    def iteration(state: State, fixed: State, root_key: Array) -> tuple[State, IterationOutput]:
        values = start_values(state | fixed, root_key)
        written, metrics = run(values)
        return finish(graph, regime, values | written, metrics)

    return iteration


def written_shapes(regime: Regime, context: Context, state: State) -> Iterator[Values]:
    """Yield, for each phase of an iteration, the shapes that it writes to no field."""
    found = start_values(state, ROOT_KEY_SHAPE)
    for phase in regime.phases:
        writes, _ = jax.eval_shape(lower_phase(phase, context), inputs_of(phase, found))
        found.update(writes)
        yield {name: value for name, value in writes.items() if name not in state}


def changing(graph: PhaseGraph, regime: Regime) -> tuple[str, ...]:
    """Return the fields that the regime's phases write.

    The others are separate arguments of its program and never come out of it, so nothing copies
    them, however large they are.
    """
    return tuple(field.name for field in graph.fields if field.name in regime.writes)


def split_state(graph: PhaseGraph, regime: Regime, state: State) -> tuple[State, State]:
    """Split a state into the fields that change in `regime` and those that do not."""
    names = changing(graph, regime)
    rest = {name: value for name, value in state.items() if name not in names}
    return {name: state[name] for name in names}, rest


def device_keys(phase: Phase) -> tuple[PayloadKey, ...]:
    """Return the payload keys whose values the phase itself computes."""
    return tuple(key for key in phase.keys if not key.wall_clock)


def metric_names(phases: Sequence[Phase]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the integer metrics and of the float metrics, in the order of packing."""
    keys = [key for phase in phases for key in device_keys(phase)]
    ints = tuple(key.name for key in keys if key.dtype == "int")
    return ints, tuple(key.name for key in keys if key.dtype == "float")


def finish(
    graph: PhaseGraph, regime: Regime, values: Values, metrics: Values
) -> tuple[State, IterationOutput]:
    """Return the fields that changed, and the iteration's outputs packed into few arrays."""
    ints, floats = metric_names(regime.phases)
    words = [
        values["nonfinite"].astype(jnp.uint32)[None],
        values["digest"],
        _pack(metrics, ints, jnp.int32),
        _pack(metrics, floats, jnp.float32),
    ]
    output = IterationOutput(words=jnp.concatenate(words), leaf_digests=values["leaf_digests"])
    return {name: values[name] for name in changing(graph, regime)}, output


def _pack(metrics: Values, names: Sequence[str], dtype: Any) -> Array:
    """Stack metrics of one type, and return their bits: `[K]` uint32."""
    kind = jnp.integer if jnp.issubdtype(dtype, jnp.integer) else jnp.floating
    for name in names:
        if jnp.ndim(metrics[name]) or not jnp.issubdtype(metrics[name].dtype, kind):
            given = jax.typeof(metrics[name])
            raise PhaseError(f"metric {name!r} is {given}, declared {jnp.dtype(dtype).name}[]")
    packed = [metrics[name].astype(dtype) for name in names]
    stacked = jnp.stack(packed) if packed else jnp.zeros((0,), dtype)
    return jax.lax.bitcast_convert_type(stacked, jnp.uint32)


def unpack(words: np.ndarray, names: tuple[Sequence[str], Sequence[str]]) -> IterationRow:
    """Read an iteration's `words`; `names` is what `metric_names` returned for its phases."""
    ints, floats = names
    cut = 3 + len(ints)
    metrics = dict(zip(ints, words[3:cut].view(np.int32).tolist(), strict=True))
    metrics |= zip(floats, words[cut:].view(np.float32).tolist(), strict=True)
    return IterationRow(metrics=metrics, digest=words[1:3], nonfinite=bool(words[0]))


def init_state(
    graph: PhaseGraph, context: Context, root_key: Array, network: Mapping[str, Any] | None = None
) -> State:
    """Make the state before iteration 0: a pure, traceable function of the root key.

    `network` has the fields of `NETWORK` if they are given instead of drawn; what is made from them
    (the optimizer's state, the target) is then made from those.
    """
    state: State = {}
    for field in graph.fields:
        if network is not None and field.name in network:
            state[field.name] = network[field.name]
        else:
            state[field.name] = resolve(field.init)(context, state, root_key)
    return state


def digested(graph: PhaseGraph, state: State) -> State:
    """Return the fields that the state's digest covers."""
    return {field.name: state[field.name] for field in graph.fields if field.digested}


def digest_paths(graph: PhaseGraph, state: State) -> tuple[str, ...]:
    """Return the paths of the leaves that the state's digest covers, in its order."""
    return leaf_paths(digested(graph, state))
