"""The phases of an iteration, one file each, and the order in which they run.

A file declares its phases and the state's fields that it owns:

- `phases(experiment)` yields the phases, none if the experiment does not need them;
- `fields(experiment)`, if it owns any, yields the fields;
- a field's `init` function makes its first value: `(context, values, root_key) -> value`;
- a device phase's `implementation` builds the function that is traced:
  `(context, phase) -> (values) -> (writes, metrics)`;
- a host phase's `host` builds what the loop calls: `(attempt, phase) -> (row) -> None`.
"""

import attrs

from jaxpot.errors import UserError
from jaxpot.loop.graph import PhaseGraph, check, covering
from jaxpot.loop.phase import Phase
from jaxpot.loop.phases import (
    advance_iteration,
    advance_keys,
    collect,
    concatenate_batches,
    digest,
    evaluation,
    guard,
    league_freeze,
    league_sizes,
    log_payload,
    persistence,
    replay,
    samples,
    standings,
    target_update,
    tick,
    training,
    transfer_metrics,
)
from jaxpot.spec import Experiment, Fault, PayloadKey, SpecError, payload_keys
from jaxpot.spec.configs.parts import ImportedPhase
from jaxpot.spec.faults import nearest
from jaxpot.spec.registry import implementation
from jaxpot.spec.wording import listed, shown

ORDER = (
    # On the host, before the iteration is dispatched.
    samples,
    # On the device: the iteration's program.
    advance_keys,
    league_sizes,
    collect,
    concatenate_batches,
    replay,
    training,
    target_update,
    advance_iteration,
    guard,
    digest,
    # On the host, once the iteration's metrics are fetched; each evaluator is a separate program.
    transfer_metrics,
    evaluation,
    log_payload,
    standings,
    persistence,
    # Between two iterations, after the checkpoint of the first.
    league_freeze,
    tick,
)
"""The order of an iteration, which is a contract: later phases rely on what earlier ones did."""

FIELD_ORDER = (
    training,
    advance_keys,
    advance_iteration,
    guard,
    target_update,
    league_freeze,
    collect,
    replay,
)
"""The order in which a state's fields are made; others are made from the network."""


def compile_graph(experiment: Experiment) -> PhaseGraph:
    """Compile an experiment into its phase graph, which is plain data.

    Raises:
        SpecError: A phase of the user's is placed next to a phase that does not exist.
        UserError: The payload keys of a part are not known, or belong to no phase.
    """
    declared: dict[str, list[PayloadKey]] = {}
    for key in payload_keys(experiment):
        declared.setdefault(key.phase, []).append(key)

    def with_keys(phase: Phase) -> Phase:
        return attrs.evolve(phase, keys=tuple(declared.pop(phase.name, ())))

    fields = tuple(field for module in FIELD_ORDER for field in module.fields(experiment))
    phases = [with_keys(phase) for module in ORDER for phase in module.phases(experiment)]
    graph = PhaseGraph(
        iterations=experiment.iterations,
        fields=fields,
        phases=covering(tuple(phases), fields),
        profile_every=experiment.runtime.profile_every,
        sample_every=experiment.debug.every if experiment.debug is not None else 0,
    )
    check(graph)
    for name, part in experiment.phases.items():
        _require_neighbour(graph, name, part)
        phase = implementation(part)(part, name=name)
        graph = graph.with_phase(
            with_keys(attrs.evolve(phase, name=name)),
            fields=tuple(getattr(part.config, "state_fields", ())),
            **part.place,
        )
    for name, keys in declared.items():
        raise UserError(
            f"payload key {keys[0].name!r} says that phase {name!r} emits it; there are "
            f"{', '.join(each.name for each in graph.phases)}"
        )
    return graph


def _require_neighbour(graph: PhaseGraph, name: str, part: ImportedPhase) -> None:
    names = [phase.name for phase in graph.phases]
    for key, neighbour in part.place.items():
        if neighbour not in names:
            path, message = ("phases", name, key), f"no phase is called {shown(neighbour)}"
            near = nearest(neighbour, names)
            raise SpecError([Fault("phase-place", path, message, listed(names), near)])
