"""The phase graph: phases in order, the state they share, and the regimes they form."""

from functools import cached_property
from itertools import chain, combinations

import attrs

from jaxpot.errors import UserError
from jaxpot.loop.phase import Field, Phase
from jaxpot.spec.payload import PayloadKey


@attrs.frozen
class Regime:
    """A span of iterations in which the same phases form the iteration's program.

    Attributes:
        name: The collectors that are on.
        start: First iteration of the span.
        until: First iteration after it.
        phases: The phases, in order.
        conditions: The phases' conditions (`Cadence.when`) that hold in it.
    """

    name: str
    start: int
    until: int
    phases: tuple[Phase, ...]
    conditions: frozenset[str] = frozenset()

    @property
    def writes(self) -> frozenset[str]:
        """Every value that its phases write."""
        return frozenset(name for phase in self.phases for name in phase.writes)


@attrs.frozen(kw_only=True)
class PhaseGraph:
    """An experiment as data: what runs, in which order, when, and over which values.

    Attributes:
        iterations: How many iterations the experiment has.
        fields: The training state, in the order in which it is made.
        phases: Every phase, in the order of an iteration.
        profile_every: Cadence of stepped iterations; 0 for never.
        sample_every: Cadence of sampled iterations; 0 for never.
    """

    iterations: int
    fields: tuple[Field, ...]
    phases: tuple[Phase, ...]
    profile_every: int = 0
    sample_every: int = 0

    @property
    def keys(self) -> tuple[PayloadKey, ...]:
        """Every payload key, by the phase that emits it."""
        return tuple(key for phase in self.phases for key in phase.keys)

    @property
    def traced(self) -> tuple[Phase, ...]:
        """The phases of the iteration's program."""
        return tuple(phase for phase in self.phases if phase.program == "iteration")

    @property
    def evaluators(self) -> tuple[Phase, ...]:
        """The device phases with a program of their own, which runs after an iteration."""
        return tuple(phase for phase in self.phases if phase.program == "own")

    @property
    def before(self) -> tuple[Phase, ...]:
        """The phases that the host runs before it dispatches an iteration."""
        return self.phases[: self.phases.index(self.traced[0])]

    @property
    def after(self) -> tuple[Phase, ...]:
        """The phases that the host runs, in this order, once it has an iteration's metrics."""
        rest = self.phases[self.phases.index(self.traced[-1]) + 1 :]
        return tuple(phase for phase in rest if phase.program != "between")

    @property
    def between(self) -> tuple[Phase, ...]:
        """The phases between two iterations, after the checkpoint of the first."""
        return tuple(phase for phase in self.phases if phase.program == "between")

    def phase(self, name: str) -> Phase:
        """Return the phase called `name`.

        Raises:
            UserError: No phase has that name.
        """
        for phase in self.phases:
            if phase.name == name:
                return phase
        names = ", ".join(each.name for each in self.phases)
        raise UserError(f"no phase is called {name!r}; there are {names}")

    def with_phase(
        self,
        phase: Phase,
        *,
        after: str | None = None,
        before: str | None = None,
        fields: tuple[Field, ...] = (),
    ) -> "PhaseGraph":
        """Return the graph with one more phase, directly after or before another one.

        Args:
            phase: The phase.
            after: Name of the phase that it follows.
            before: Name of the phase that it precedes; give this or `after`.
            fields: Fields that the phase brings; the guard and the digest cover them.

        Raises:
            UserError: There is no such place, or the result is not a valid graph.
        """
        place = self.phases.index(self.phase(after or before or "")) + (after is not None)
        graph = attrs.evolve(
            self,
            phases=covering((*self.phases[:place], phase, *self.phases[place:]), fields),
            fields=self.fields + fields,
        )
        check(graph)
        return graph

    def without_phase(self, name: str) -> "PhaseGraph":
        """Return the graph without the phase `name`, and without its payload keys.

        Raises:
            UserError: There is no such phase, or another one needs it.
        """
        removed = self.phase(name)
        graph = attrs.evolve(self, phases=tuple(p for p in self.phases if p is not removed))
        check(graph)
        return graph

    def regime_at(self, iteration: int, conditions: frozenset[str] = frozenset()) -> Regime:
        """Return the regime of `iteration` while `conditions` hold."""
        return next(
            regime
            for regime in self._regimes
            if regime.start <= iteration < regime.until
            and regime.conditions == conditions & _conditions_at(self, regime.start)
        )

    def regimes(self) -> tuple[Regime, ...]:
        """Return the regimes in order; together they cover every iteration."""
        return self._regimes

    @cached_property
    def _regimes(self) -> tuple[Regime, ...]:
        edges = {0}
        for phase in self.traced:
            edges |= {phase.cadence.start, phase.cadence.until or 0}
        starts = sorted(edge for edge in edges if edge < self.iterations)
        regimes: list[Regime] = []
        for start, until in zip(starts, [*starts[1:], self.iterations], strict=True):
            names = sorted(_conditions_at(self, start))
            # Any of the conditions may hold: a regime for each choice, none of them first.
            for chosen in chain(*(combinations(names, size) for size in range(len(names) + 1))):
                conditions = frozenset(chosen)
                phases = tuple(
                    phase
                    for phase in self.traced
                    if phase.cadence.in_window(start)
                    and (phase.cadence.when is None or phase.cadence.when in conditions)
                )
                name = "+".join(phase.collects for phase in phases if phase.collects) or "none"
                if any(other.name == name and other.phases != phases for other in regimes):
                    name = f"{name}@{start}"
                regimes.append(Regime(name, start, until, phases, conditions))
        return tuple(regimes)


def _conditions_at(graph: PhaseGraph, iteration: int) -> frozenset[str]:
    """Return the conditions on which some phase of `iteration` depends."""
    return frozenset(
        phase.cadence.when
        for phase in graph.traced
        if phase.cadence.when is not None and phase.cadence.in_window(iteration)
    )


def covering(phases: tuple[Phase, ...], fields: tuple[Field, ...]) -> tuple[Phase, ...]:
    """Return the phases, with `fields` added to those that cover digested or guarded fields."""
    digested = tuple(field.name for field in fields if field.digested)
    guarded = tuple(field.name for field in fields if field.guarded)
    previous = tuple(f"previous.{name}" for name in guarded)
    unchecked = tuple(field.name for field in fields if field.guarded and not field.finite)

    def covered(phase: Phase) -> Phase:
        if phase.covers == "digested":
            return attrs.evolve(phase, reads=digested + phase.reads)
        if phase.covers == "guarded":
            return attrs.evolve(
                phase,
                reads=guarded + previous + phase.reads,
                writes=guarded + phase.writes,
                unchecked=unchecked + phase.unchecked,
            )
        return phase

    return tuple(map(covered, phases))


def check(graph: PhaseGraph) -> None:
    """Refuse a graph in which a name is taken twice or a phase reads what nothing wrote.

    Raises:
        UserError: The phase and the name.
    """
    _check_unique("phase", [phase.name for phase in graph.phases])
    _check_unique("field", [field.name for field in graph.fields])
    _check_unique("payload key", [key.name for key in graph.keys])
    state = {field.name for field in graph.fields}
    outside = state | {f"previous.{name}" for name in state} | {"root_key", "iteration"}
    for regime in graph.regimes():
        written = set(outside)
        for phase in regime.phases:
            for name in phase.reads:
                if name not in written:
                    raise UserError(
                        f"phase {phase.name!r} reads {name!r}, which no field and no earlier "
                        f"phase of regime {regime.name!r} provides; there are "
                        f"{', '.join(sorted(written))}"
                    )
            written |= set(phase.writes)
    for phase in graph.phases:
        _check_phase(graph, phase, outside)
    _check_order(graph)


def _check_phase(graph: PhaseGraph, phase: Phase, outside: set[str]) -> None:
    place = f"phase {phase.name!r}"
    if phase.program == "iteration" and phase.cadence.every > 1:
        raise UserError(
            f"{place} is part of the iteration's program, which has no cadence: every = "
            f"{phase.cadence.every}; give it its own program"
        )
    timed = phase.timer is not None and (graph.profile_every or phase.program != "iteration")
    if timed and phase.timer not in {key.name for key in phase.keys}:
        raise UserError(f"{place} has the timer {phase.timer!r}, which is none of its keys")
    if phase.program == "iteration":
        return
    if phase not in (*graph.before, *graph.after, *graph.between):
        raise UserError(
            f"{place} runs on the host, and stands within the iteration's program; put it after "
            f"{graph.traced[-1].name!r} or before {graph.traced[0].name!r}"
        )
    known = outside | ({"payload"} if phase.where == "host" else set())
    unknown = [name for name in phase.reads if name not in known]
    if unknown:
        raise UserError(f"{place} reads {', '.join(map(repr, unknown))}, which is no field")
    for key in phase.keys if phase.program is not None or phase.implementation else ():
        if key.cadence != phase.cadence:
            raise UserError(
                f"{place} runs {phase.cadence}, but its key {key.name!r} declares otherwise"
            )


def _check_order(graph: PhaseGraph) -> None:
    names = [phase.name for phase in graph.phases]
    for name in ("transfer_metrics", "log_payload"):
        if name not in names:
            raise UserError(f"there is no phase {name!r}, without which nothing is recorded")
    complete = names.index("log_payload")
    for phase in (*graph.before, *graph.phases[complete + 1 :]):
        if phase.keys:
            raise UserError(
                f"phase {phase.name!r} emits {phase.keys[0].name!r}, and does not run between "
                "'transfer_metrics' and 'log_payload', which completes the payload"
            )


def _check_unique(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"{what} named twice: {', '.join(twice)}")
