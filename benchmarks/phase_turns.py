"""An experiment's iteration, and its phases one by one, as arms that take turns in one process."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from jaxpot.loop.context import build_context
from jaxpot.loop.lower import split_state, start_values
from jaxpot.loop.phases import compile_graph
from jaxpot.loop.plan import step_groups
from jaxpot.loop.programs import Programs, group_inputs
from jaxpot.loop.streams import root_key_data
from jaxpot.spec import Experiment


class Timed:
    """An arm: calls a function so often, and also keeps the CPU seconds of each call."""

    def __init__(self, function: Callable[[], Any], *, calls: int = 1) -> None:
        self._function, self._calls = function, calls
        self.cpu: list[float] = []

    def __call__(self) -> float:
        """Returns the wall-clock seconds of a call."""
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(self._calls):
            given = self._function()
        jax.block_until_ready(given)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        self.cpu.append(cpu / self._calls)
        return wall / self._calls


class PhaseTurns:
    """One experiment's compiled programs, without the runner.

    Attributes:
        context: Its built parts.
        compiled: How often each program was compiled.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._graph = compile_graph(experiment)
        self.context = build_context(experiment, Path("runs"))
        self.compiled: Counter[str] = Counter()
        self._programs = Programs(self._graph, self.context, self._count)
        self._root_key = jax.device_put(root_key_data(experiment.seed))
        self.state, _ = self._programs.init()(self._root_key)
        self.done = 0

    def _count(self, program: str, seconds: float | None) -> None:
        self.compiled[program] += seconds is not None

    def iterate(self, iterations: int = 1) -> Any:
        """Runs so many iterations and returns the state."""
        for _ in range(iterations):
            regime = self._graph.regime_at(self.done)
            changing, fixed = split_state(self._graph, regime, self.state)
            changed, _ = self._programs.iteration(regime)(changing, fixed, self._root_key)
            self.state = fixed | changed
            self.done += 1
        return self.state

    def phases(self) -> dict[str, Callable[[], Any]]:
        """Goes through one iteration phase by phase, which leaves the state as it is.

        Returns:
            Each timed phase's program, on what it was given.
        """
        regime = self._graph.regime_at(self.done)
        # Copies: an iteration consumes the state that it is given.
        values = start_values(jax.tree.map(jax.numpy.copy, self.state), self._root_key)
        found: dict[str, Callable[[], Any]] = {}
        for (last, program), (_, phases) in zip(
            self._programs.steps(regime), step_groups(regime), strict=True
        ):
            given = group_inputs(phases, values)
            values.update(program(given)[0])
            if last.timer is not None:
                found[last.name] = lambda program=program, given=given: program(given)
        return found
