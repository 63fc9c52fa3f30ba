"""Compiled programs by name: each compiles at its first use, once, and is counted."""

import time
from collections.abc import Callable
from typing import Any

import jax

from jaxpot.loop.context import Context
from jaxpot.loop.digest import combine, leaf_digests
from jaxpot.loop.graph import PhaseGraph, Regime
from jaxpot.loop.lower import Values, finish, init_state, inputs_of, lower_iteration, lower_phase
from jaxpot.loop.memory import check_program
from jaxpot.loop.phase import Phase, State
from jaxpot.loop.plan import POOL_DIGESTS, step_groups
from jaxpot.loop.streams import IMPLEMENTATION

OnCompile = Callable[[str, float | None], None]
"""Told a program's name before it compiles (with None) and after (with the seconds)."""


class Program:
    """One function, compiled ahead of its first call for exactly the shapes of that call.

    A call with other shapes raises instead of compiling again.
    """

    def __init__(
        self, name: str, function: Callable[..., Any], *, donate: bool, on_compile: OnCompile
    ) -> None:
        self.name = name
        self.compiles = 0
        self._on_compile = on_compile
        function.__name__ = function.__qualname__ = _identifier(name)
        self._jitted = jax.jit(function, donate_argnums=(0,) if donate else ())
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, *args: Any) -> Any:
        if self._compiled is None:
            self._on_compile(self.name, None)
            started = time.perf_counter()
            compiled = self._jitted.lower(*args).compile()
            self.compiles += 1
            self._on_compile(self.name, time.perf_counter() - started)
            check_program(self.name, compiled)
            self._compiled = compiled
        return self._compiled(*args)


def _identifier(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)


class Programs:
    """Every program of a graph; `plan` lists the same names.

    Attributes:
        on_compile: Who is told of compiles; it may change between one attempt and the next.
    """

    def __init__(self, graph: PhaseGraph, context: Context, on_compile: OnCompile) -> None:
        self._graph = graph
        self._context = context
        self.on_compile = on_compile
        self._programs: dict[str, Program] = {}

    @property
    def compiles(self) -> dict[str, int]:
        """How often each program that was used has been compiled."""
        return {name: program.compiles for name, program in self._programs.items()}

    def named(
        self, name: str, make: Callable[[], Callable[..., Any]], *, donate: bool = False
    ) -> Program:
        """Return the program `name`, of the function that `make` builds where it is new.

        Args:
            name: The name; `plan` lists it too.
            make: Builds the function.
            donate: Whether the program may reuse the buffers of its first argument.
        """
        if name not in self._programs:
            self._programs[name] = Program(
                name, make(), donate=donate, on_compile=lambda *args: self.on_compile(*args)
            )
        return self._programs[name]

    def init(self) -> Program:
        """Make the state: `(root_key) -> (state, digest)`."""

        def init(root_key: Any) -> tuple[State, Any]:
            return self._fresh(root_key, None)

        return self.named("init", lambda: init)

    def init_from(self) -> Program:
        """Make the state around a given network: `(root_key, network) -> (state, digest)`."""

        def init_from(root_key: Any, network: Values) -> tuple[State, Any]:
            return self._fresh(root_key, network)

        return self.named("init_from", lambda: init_from)

    def iteration(self, regime: Regime) -> Program:
        """Run one iteration: `(changing, fixed, root_key) -> (changed, output)`.

        The fields that change are donated.
        """
        return self.named(
            f"iteration[{regime.name}]",
            lambda: lower_iteration(self._graph, regime, self._context),
            donate=True,
        )

    def steps(self, regime: Regime) -> "list[tuple[Phase, Program]]":
        """Run one iteration phase by phase: `(values) -> (writes, metrics)` each.

        Neighbouring phases without a timer are one program.
        """
        return [
            (
                timed,
                self.named(f"step[{regime.name}]/{timed.name}", lambda g=group: self._group(g)),
            )
            for timed, group in step_groups(regime)
        ]

    def evaluation(self, phase: Phase) -> Program:
        """Run an evaluator: `(values) -> (writes, metrics)`."""
        return self.named(phase.name, lambda: lower_phase(phase, self._context))

    def between(self, phase: Phase) -> Program:
        """Run a phase between two iterations: `(changing, given) -> writes`.

        The fields that it writes are donated.
        """

        def make() -> Callable[[Values, Values], Values]:
            function = lower_phase(phase, self._context)
            return lambda changing, given: function(changing | given)[0]

        return self.named(phase.name, make, donate=True)

    def pool_digests(self) -> Program:
        """Digest every network of the league's pool: `(pool) -> [S, 2] uint32`."""

        def network_digest(network: Values) -> Any:
            paths, leaves = leaf_digests(network)
            return combine(leaves, paths)

        # One slot after the other: all at once would hold the digest's words for the whole pool.
        return self.named(POOL_DIGESTS, lambda: lambda pool: jax.lax.map(network_digest, pool))

    def phase_digests(self, regime: Regime) -> Program:
        """Digest what every timed phase wrote: `({phase: writes}) -> {phase: [2] uint32}`."""

        def phase_digests(written: dict[str, Values]) -> Values:
            digests = {}
            for name, values in written.items():
                paths, leaves = leaf_digests(values, prefix=f"{name}/")
                digests[name] = combine(leaves, paths)
            return digests

        return self.named(f"phase_digests[{regime.name}]", lambda: phase_digests)

    def finish(self, regime: Regime) -> Program:
        """Pack a stepped iteration's values: `(values, metrics) -> (changed, output)`."""

        def pack(values: Values, metrics: Values) -> Any:
            return finish(self._graph, regime, values, metrics)

        return self.named(f"step[{regime.name}]/pack", lambda: pack)

    def _fresh(self, root_key: Any, network: Values | None) -> tuple[State, Any]:
        key = jax.random.wrap_key_data(root_key, impl=IMPLEMENTATION)
        state = init_state(self._graph, self._context, key, network)
        digested = {f.name: state[f.name] for f in self._graph.fields if f.digested}
        paths, leaves = leaf_digests(digested)
        return state, combine(leaves, paths)

    def _group(self, phases: tuple[Phase, ...]) -> Callable[[Values], tuple[Values, Values]]:
        functions = [(phase, lower_phase(phase, self._context)) for phase in phases]

        def run(values: Values) -> tuple[Values, Values]:
            values = dict(values)
            written: Values = {}
            metrics: Values = {}
            for phase, function in functions:
                writes, emitted = function(inputs_of(phase, values))
                values.update(writes)
                written.update(writes)
                metrics.update(emitted)
            return written, metrics

        return run


def group_inputs(phases: tuple[Phase, ...], values: Values) -> Values:
    """Pick what a group of phases is given from outside it."""
    given: Values = {}
    written: set[str] = set()
    for phase in phases:
        known = values | dict.fromkeys(written)
        wanted = inputs_of(phase, known)
        given |= {name: value for name, value in wanted.items() if name not in written}
        written |= set(phase.writes)
    return given
