"""Compiled programs by name: each compiles at its first use, once, and is counted."""

import time
from collections.abc import Callable
from typing import Any

import jax

from jaxpot.loop.context import Context
from jaxpot.loop.digest import combine, leaf_digests
from jaxpot.loop.graph import PhaseGraph, Regime
from jaxpot.loop.lower import (
    Values,
    digested,
    finish,
    init_state,
    lower_iteration,
    lower_phase,
    lower_phases,
)
from jaxpot.loop.memory import check_program
from jaxpot.loop.phase import Phase, State
from jaxpot.loop.plan import POOL_DIGESTS, step_groups
from jaxpot.loop.streams import IMPLEMENTATION

OnCompile = Callable[[str, float | None], None]
"""Called with a program's name before it compiles (and None) and after (and the seconds)."""


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
        identifier = "".join(c if c.isalnum() else "_" for c in name)
        function.__name__ = function.__qualname__ = identifier
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


class Programs:
    """Every program of a graph; `plan` lists the same names.

    Attributes:
        on_compile: What to call around a compile; another attempt may replace it.
    """

    def __init__(self, graph: PhaseGraph, context: Context, on_compile: OnCompile) -> None:
        self._graph = graph
        self._context = context
        self.on_compile = on_compile
        self._programs: dict[str, Program] = {}

    @property
    def compiles(self) -> dict[str, int]:
        """Compile by the name of each program that was used."""
        return {name: program.compiles for name, program in self._programs.items()}

    def named(
        self, name: str, make: Callable[[], Callable[..., Any]], *, donate: bool = False
    ) -> Program:
        """Return the program `name`; at its first use, of the function that `make` builds.

        With `donate`, the program may reuse the buffers of its first argument.
        """
        if name not in self._programs:
            self._programs[name] = Program(
                name, make(), donate=donate, on_compile=lambda *args: self.on_compile(*args)
            )
        return self._programs[name]

    def init(self) -> Program:
        """Make the state: `(root_key) -> (state, digest)`."""
        return self.named("init", lambda: lambda root_key: self._fresh(root_key, None))

    def init_from(self) -> Program:
        """Make the state around a given network: `(root_key, network) -> (state, digest)`."""
        return self.named(
            "init_from", lambda: lambda root_key, network: self._fresh(root_key, network)
        )

    def iteration(self, regime: Regime) -> Program:
        """Run one iteration: `(changing, fixed, root_key) -> (changed, output)`.

        The fields that change are donated.
        """
        return self.named(
            f"iteration[{regime.name}]",
            lambda: lower_iteration(self._graph, regime, self._context),
            donate=True,
        )

    def steps(self, regime: Regime) -> list[tuple[Phase, Program]]:
        """Run one iteration by its `step_groups`: `(values) -> (writes, metrics)` each."""
        return [
            (
                last,
                self.named(
                    f"step[{regime.name}]/{last.name}",
                    lambda phases=phases: lower_phases(phases, self._context),
                ),
            )
            for last, phases in step_groups(regime)
        ]

    def finish(self, regime: Regime) -> Program:
        """Pack a stepped iteration's values: `(values, metrics) -> (changed, output)`."""
        return self.named(
            f"step[{regime.name}]/pack",
            lambda: lambda values, metrics: finish(self._graph, regime, values, metrics),
        )

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
        # One slot after the other: all at once would hold the digest's words for the whole pool.
        return self.named(POOL_DIGESTS, lambda: lambda pool: jax.lax.map(_digest, pool))

    def phase_digests(self, regime: Regime) -> Program:
        """Digest what every timed phase wrote: `({phase: writes}) -> {phase: [2] uint32}`."""

        def phase_digests(written: dict[str, Values]) -> Values:
            return {name: _digest(x, prefix=f"{name}/") for name, x in written.items()}

        return self.named(f"phase_digests[{regime.name}]", lambda: phase_digests)

    def _fresh(self, root_key: Any, network: Values | None) -> tuple[State, Any]:
        key = jax.random.wrap_key_data(root_key, impl=IMPLEMENTATION)
        state = init_state(self._graph, self._context, key, network)
        return state, _digest(digested(self._graph, state))


def _digest(tree: Any, *, prefix: str = "") -> Any:
    paths, leaves = leaf_digests(tree, prefix=prefix)
    return combine(leaves, paths)
