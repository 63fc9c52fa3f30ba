"""Show a phase graph: as text for people, as JSON for programs, as a Mermaid diagram."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxpot import formatting as words
from jaxpot.loop.graph import PhaseGraph, Regime
from jaxpot.loop.phase import Phase
from jaxpot.spec.keys import Cadence
from jaxpot.spec.payload import PayloadKey

POOL_DIGESTS = "pool_digests"
"""The program that checks the league's parameters before a checkpoint is written."""

BATCH = "concatenate_batches"
"""The phase that makes the training batch from the collected rows."""

SAMPLES = "samples"
"""The phase that writes samples of the batch, and the name of its program."""


def programs(graph: PhaseGraph) -> list[str]:
    """List every program that a whole run compiles, each at most once."""
    names = ["init"]
    for regime in graph.regimes():
        names.append(f"iteration[{regime.name}]")
        if _fires_in(regime, graph.sample_every):
            names += [f"step[{regime.name}]/{last.name}" for last, _ in batch_groups(regime)]
            names.append(f"{SAMPLES}[{regime.name}]")
        if _fires_in(regime, graph.profile_every):
            names += [f"step[{regime.name}]/{last.name}" for last, _ in step_groups(regime)]
            names += [f"step[{regime.name}]/pack", f"phase_digests[{regime.name}]"]
    between = [phase for phase in graph.between if phase.where == "device"]
    for phase in (*graph.evaluators, *between):
        names += [phase.name, *phase.helpers]
    if between:
        names.append(POOL_DIGESTS)
    # Two windows may have the same regime, and two evaluators of a kind share their helpers.
    return list(dict.fromkeys(names))


def step_groups(regime: Regime) -> list[tuple[Phase, tuple[Phase, ...]]]:
    """Cut a regime's phases into the programs of a stepped iteration.

    Each timed phase is one program, and so are the untimed phases between two timed ones, under the
    name of the last. Return that last phase and the phases, for each program in order.
    """
    groups: list[list[Phase]] = []
    for phase in regime.phases:
        if groups and phase.timer is None and groups[-1][-1].timer is None:
            groups[-1].append(phase)
        else:
            groups.append([phase])
    return [(group[-1], tuple(group)) for group in groups]


def batch_groups(regime: Regime) -> list[tuple[Phase, tuple[Phase, ...]]]:
    """Return the first of `step_groups`: those up to the one that makes the batch."""
    groups = step_groups(regime)
    made = [any(phase.name == BATCH for phase in phases) for _, phases in groups]
    return groups[: made.index(True) + 1]


def _fires_in(regime: Regime, every: int) -> bool:
    return bool(every) and Cadence(every, regime.start).first(regime.until) is not None


def render_json(graph: PhaseGraph, details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan as plain data; `details` are those of `plan_details`."""
    return {
        "iterations": graph.iterations,
        "profile_every": graph.profile_every,
        "phases": [_phase_data(phase) for phase in graph.phases],
        "fields": [
            {"name": f.name, "digested": f.digested, "guarded": f.guarded, "doc": f.doc}
            for f in graph.fields
        ],
        "regimes": [
            {
                "name": regime.name,
                "start": regime.start,
                "until": regime.until,
                "conditions": sorted(regime.conditions),
                "phases": [phase.name for phase in regime.phases],
            }
            for regime in graph.regimes()
        ],
        "programs": programs(graph),
        **details,
    }


def _phase_data(phase: Phase) -> dict[str, Any]:
    return {
        "name": phase.name,
        "where": phase.where,
        "program": phase.program,
        "cadence": str(phase.cadence),
        "every": phase.cadence.every,
        "start": phase.cadence.start,
        "until": phase.cadence.until,
        "when": phase.cadence.when,
        "reads": [*phase.reads, *phase.reads_if_present],
        "writes": list(phase.writes),
        "streams": list(phase.streams),
        "timer": phase.timer,
        "keys": [
            {"name": key.name, "dtype": key.dtype, "unit": key.unit, "presence": presence(key)}
            for key in phase.keys
        ],
        "doc": phase.doc,
    }


def presence(key: PayloadKey) -> str:
    """Say in words on which iterations a key is there."""
    text = "always" if key.every == 1 else f"every {key.every}"
    if key.until is not None:
        text += f", iterations {key.start}..{key.until - 1}"
    elif key.start:
        text += f", from iteration {key.start}"
    return f"{text}, while {key.when}" if key.when else text


def render_mermaid(graph: PhaseGraph, details: Mapping[str, Any]) -> str:
    """Return a Mermaid flow chart: phases in order, edges by the values they hand over."""
    lines = ["flowchart TD"]
    for phase in graph.phases:
        label = f"{phase.name}<br/>{phase.where}, {phase.cadence}"
        ends = ("[", "]") if phase.where == "device" else ("([", "])")
        lines.append(f'  {phase.name}{ends[0]}"{label}"{ends[1]}')
    writers: dict[str, str] = {}
    for before, phase in zip([None, *graph.phases], graph.phases, strict=False):
        sources: dict[str, list[str]] = {}
        for value in (*phase.reads, *phase.reads_if_present):
            if value in writers:
                sources.setdefault(writers[value], []).append(value)
        if not sources and before is not None:
            lines.append(f"  {before.name} -.-> {phase.name}")
        for source, values in sources.items():
            lines.append(f'  {source} -->|"{", ".join(values)}"| {phase.name}')
        writers.update(dict.fromkeys(phase.writes, phase.name))
    return "\n".join(lines)


def render_text(graph: PhaseGraph, details: Mapping[str, Any]) -> str:
    sections = [
        _section("phases, in order", _table(_phase_rows(graph))),
        _section("payload keys", _table(_key_rows(graph))),
        _section("regimes", [_regime_line(regime) for regime in graph.regimes()]),
        _section("programs, each compiled at most once, at first use", programs(graph)),
        _section("state", _table(_shape_rows(details["state"]))),
        _section("values within an iteration", _table(_shape_rows(details["values"]))),
        _section("size", _size_lines(details)),
    ]
    return "\n\n".join(sections)


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _phase_rows(graph: PhaseGraph) -> list[tuple[str, ...]]:
    rows = [("phase", "where", "cadence", "stream", "timer")]
    for phase in graph.phases:
        own = phase.where == "device" and phase.program != "iteration"
        where = "device, own program" if own else phase.where
        cadence = str(phase.cadence) + (f", while {when}" if (when := phase.cadence.when) else "")
        rows.append(
            (phase.name, where, cadence, ", ".join(phase.streams) or "-", phase.timer or "-")
        )
    return rows


def _key_rows(graph: PhaseGraph) -> list[tuple[str, ...]]:
    rows = [("key", "type", "unit", "present", "emitted by")]
    rows += [
        (key.name, key.dtype, key.unit or "-", presence(key), phase.name)
        for phase in graph.phases
        for key in phase.keys
    ]
    return rows


def _regime_line(regime: Regime) -> str:
    span = f"iterations {regime.start}..{regime.until - 1}"
    if regime.conditions:
        span += f", while {' and '.join(sorted(regime.conditions))}"
    return f"{regime.name}: {span}: {' -> '.join(phase.name for phase in regime.phases)}"


def _shape_rows(shapes: Mapping[str, str]) -> list[tuple[str, ...]]:
    return list(shapes.items())


def _size_lines(details: Mapping[str, Any]) -> list[str]:
    memory = details["memory"]
    lines = [
        f"parameters: {details['parameters']:,}",
        f"state on each device: {words.size(memory['state_bytes'])}",
    ]
    if "pool_bytes" in memory:
        size, entries = memory["pool_bytes"], memory["pool_entries"]
        each = words.size(size // entries)
        lines.append(
            f"league pool on each device: {words.size(size)}, {entries} entries of {each}; "
            "part of the state"
        )
    lines += [
        f"values of an iteration on each device [{regime}]: {words.size(size)}"
        for regime, size in memory["iteration_bytes"].items()
    ]
    return lines


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
