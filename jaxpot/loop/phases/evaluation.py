"""Evaluate the agent; each evaluator is a separate program."""

from collections.abc import Iterator

from jaxpot.loop.context import NETWORK, Context, PhaseFunction, Values, network_variables
from jaxpot.loop.phase import Cadence, Phase, stream_value
from jaxpot.spec import Experiment
from jaxpot.spec.payload import evaluator_prefix, evaluator_start
from jaxpot.spec.registry import part_row


def phases(experiment: Experiment) -> Iterator[Phase]:
    for name, evaluator in experiment.eval.items():
        row, prefix = part_row(evaluator), evaluator_prefix(name)
        start = evaluator_start(evaluator, experiment.collect, experiment.league)
        yield Phase(
            name=prefix,
            program="own",
            cadence=Cadence(every=evaluator.every, start=start),
            reads=(*NETWORK, *(row.reads if row else ())),
            writes=("histograms", *(row.writes if row else ())),
            streams=(f"eval/{name}",),
            timer=f"timings/{prefix}",
            helpers=row.programs if row else (),
            waits=True,
            implementation=build,
            doc=f"Evaluates the agent: {evaluator.kind}.",
        )


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
