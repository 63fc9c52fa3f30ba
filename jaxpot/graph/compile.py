"""Compiles an experiment into its phase graph; the order here is the design's contract."""

from jaxpot.errors import UserError
from jaxpot.graph.graph import PhaseGraph, check
from jaxpot.graph.phase import Cadence, Field, Phase
from jaxpot.spec import Experiment, PayloadKey, payload_keys
from jaxpot.spec.payload import evaluator_prefix
from jaxpot.spec.registry import part_programs

_PHASES = "jaxpot.loop.phases:"
_FIELDS = "jaxpot.loop.state:"


def compile_graph(experiment: Experiment) -> PhaseGraph:
    """Compiles `experiment` into a phase graph: data only, no array and no import of jax.

    The order of an iteration is: the keys advance, the collectors collect, their rows are
    concatenated, training, the counter advances, a non-finite update is undone, the state is
    digested; then, on the host, metrics are fetched, evaluators run, the payload is completed,
    checkpoints are written, and the loop ticks.
    """
    declared: dict[str, list[PayloadKey]] = {}
    for key in payload_keys(experiment):
        declared.setdefault(key.phase, []).append(key)

    def phase(name: str, **options) -> Phase:
        return Phase(name=name, keys=tuple(declared.pop(name, ())), **options)

    fields = _fields()
    digested = tuple(field.name for field in fields if field.digested)
    guarded = tuple(field.name for field in fields if field.guarded)
    profiled = Cadence(every=experiment.runtime.profile_every or 1)
    phases = [
        phase(
            "advance_keys",
            where="device",
            program="iteration",
            reads=("key", "iteration"),
            writes=(
                "key",
                *(f"key.{name}" for name in ("selfplay", "random", "league", "archive")),
            ),
            implementation=_PHASES + "advance_keys",
            doc="Folds the iteration into the run's key and splits it five ways.",
        ),
        *(
            phase(
                f"collect_{name}",
                where="device",
                program="iteration",
                cadence=Cadence(until=until),
                reads=(f"key.{name}", "params", "model_state"),
                writes=(f"rollout.{name}",),
                timer=f"timings/collect_{name}",
                implementation=_PHASES + f"collect_{name}",
                doc=doc,
            )
            for name, until, doc in _collectors(experiment)
        ),
        phase(
            "concatenate_batches",
            where="device",
            program="iteration",
            reads_if_present=tuple(f"rollout.{name}" for name, _, _ in _collectors(experiment)),
            writes=("batch",),
            timer="timings/concatenate_batches",
            implementation=_PHASES + "concatenate_batches",
            doc="Computes every row's targets and joins the collectors' rows into one batch.",
        ),
        phase(
            "training",
            where="device",
            program="iteration",
            reads=("params", "model_state", "opt_state", "batch", "iteration"),
            writes=("params", "model_state", "opt_state", "finite"),
            stream="shuffle",
            timer="timings/training",
            implementation=_PHASES + "training",
            doc="Shuffles the valid rows and makes the epochs of minibatch updates.",
        ),
        phase(
            "advance_iteration",
            where="device",
            program="iteration",
            reads=("iteration",),
            writes=("iteration",),
            implementation=_PHASES + "advance_iteration",
            doc="Counts the iteration as done.",
        ),
        phase(
            "guard",
            where="device",
            program="iteration",
            reads=(*guarded, *(f"previous.{name}" for name in guarded), "finite", "nonfinite"),
            writes=(*guarded, "nonfinite"),
            covers="guarded",
            implementation=_PHASES + "guard",
            doc="After a non-finite update gives back the state before it, from then on.",
        ),
        phase(
            "digest",
            where="device",
            program="iteration",
            reads=digested,
            writes=("digest", "leaf_digests"),
            covers="digested",
            implementation=_PHASES + "digest",
            doc="Hashes every leaf of the state, and the leaves' hashes into one.",
        ),
        phase(
            "transfer_metrics",
            where="host",
            cadence=profiled,
            timer="timings/transfer_metrics",
            doc="Fetches the metrics of a batch of iterations in one transfer.",
        ),
        *(
            phase(
                evaluator_prefix(name),
                where="device",
                program="own",
                cadence=Cadence(every=evaluator.every),
                reads=("params", "model_state"),
                writes=("histograms",),
                stream=f"eval/{name}",
                timer=f"timings/{evaluator_prefix(name)}",
                helpers=part_programs(evaluator),
                implementation=_PHASES + "evaluation",
                doc=f"Evaluates the agent: {evaluator.kind}.",
            )
            for name, evaluator in experiment.eval.items()
        ),
        phase("log_payload", where="host", doc="Completes the payload and appends it."),
        phase("persistence", where="host", doc="Saves periodic, milestone and best checkpoints."),
        phase("tick", where="host", doc="Goes on to the next iteration."),
    ]
    graph = PhaseGraph(
        iterations=experiment.iterations,
        fields=fields,
        phases=tuple(phases),
        profile_every=experiment.runtime.profile_every,
    )
    for name, keys in declared.items():
        raise UserError(
            f"payload key {keys[0].name!r} says that phase {name!r} emits it; there are "
            f"{', '.join(each.name for each in phases)}"
        )
    check(graph)
    return graph


def _fields() -> tuple[Field, ...]:
    return (
        Field(name="params", init=_FIELDS + "init_network", doc="The network's parameters."),
        Field(
            name="model_state",
            init=_FIELDS + "init_model_state",
            doc="The network's variables that are not trained.",
        ),
        Field(
            name="opt_state",
            init=_FIELDS + "init_opt_state",
            doc="The optimizer's state, a partial accumulation included.",
        ),
        Field(name="key", init=_FIELDS + "init_key", doc="The chain's key, as two uint32."),
        Field(name="iteration", init=_FIELDS + "init_iteration", doc="Iterations done."),
        Field(
            name="nonfinite",
            init=_FIELDS + "init_nonfinite",
            digested=False,
            guarded=False,
            doc="Whether an update was non-finite; once set it stays.",
        ),
    )


def _collectors(experiment: Experiment) -> list[tuple[str, int | None, str]]:
    collect = experiment.collect
    rows: list[tuple[str, int | None, str]] = []
    if collect.selfplay is not None:
        rows.append(("selfplay", None, "The agent plays itself; both seats are trained."))
    if collect.random is not None:
        doc = "The agent plays uniformly random moves, first in half of the lanes."
        rows.append(("random", collect.random.until, doc))
    return rows
