"""Evaluate the agent, by a program of its own for each evaluator."""

import time

import jax
import numpy as np

from jaxpot.loop.attempt import Attempt, HostFunction, Row
from jaxpot.loop.context import NETWORK, Context, PhaseFunction, Values, network_variables
from jaxpot.loop.lower import evaluation_inputs
from jaxpot.loop.phase import Cadence, Phase, stream_value
from jaxpot.spec import Experiment
from jaxpot.spec.payload import evaluator_prefix
from jaxpot.spec.registry import part_row
from jaxpot.spec.windows import evaluator_start


def phases(experiment: Experiment) -> tuple[Phase, ...]:
    """Declare one phase for each evaluator."""
    declared = []
    for name, evaluator in experiment.eval.items():
        row, prefix = part_row(evaluator), evaluator_prefix(name)
        start = evaluator_start(evaluator, experiment.collect, experiment.league)
        declared.append(
            Phase(
                name=prefix,
                where="device",
                program="own",
                cadence=Cadence(every=evaluator.every, start=start),
                reads=(*NETWORK, *(row.reads if row else ())),
                writes=("histograms", *(row.writes if row else ())),
                streams=(f"eval/{name}",),
                timer=f"timings/{prefix}",
                helpers=row.programs if row else (),
                waits=True,
                implementation=build,
                host=run_program,
                doc=f"Evaluates the agent: {evaluator.kind}.",
            )
        )
    return tuple(declared)


def build(context: Context, phase: Phase) -> PhaseFunction:
    """Build the program; its histograms are written, not logged."""
    evaluator = context.evaluators[phase.name]
    key = stream_value(*phase.streams)
    fields = tuple(name for name in phase.reads if name not in NETWORK)

    def run(values: Values):
        more = {**values["constants"], **{name: values[name] for name in fields}}
        output = evaluator.run(network_variables(values), values[key], **more)
        metrics = {f"{phase.name}/{name}": value for name, value in output.metrics.items()}
        histograms = {f"{phase.name}/{name}": each for name, each in output.histograms.items()}
        return {"histograms": histograms, **output.fields}, metrics

    return run


def run_program(attempt: Attempt, phase: Phase) -> HostFunction:
    """Run a device phase with a program of its own, and take over what it returns."""
    constants: dict[str, object] = {}
    if phase.name in attempt.context.evaluators:
        constants |= jax.device_put(dict(attempt.context.constants(phase.name)))

    def run(row: Row) -> None:
        clock = attempt.clock
        program = attempt.programs.evaluation(phase)
        now = jax.device_put(np.int32(row.iteration))
        given = evaluation_inputs(phase, constants, attempt.state, attempt.root_key, now)
        compiling = clock.seconds["compile"]
        started = time.perf_counter()
        output = program(given)
        writes, emitted = jax.device_get(output)
        took = time.perf_counter() - started - (clock.seconds["compile"] - compiling)
        clock.spent("evaluate", took)
        changed = {name: x for name, x in output[0].items() if name in attempt.state}
        attempt.state = attempt.state | changed
        if "league" in writes:
            attempt.league.evaluated(row.iteration, writes["league"])
        row.seconds += took
        if phase.timer is not None:
            row.timings[phase.timer] = took
        row.metrics |= {name: x.item() for name, x in emitted.items()}
        row.histograms |= writes.get("histograms", {})

    return run
