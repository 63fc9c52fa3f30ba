"""Compiles an experiment into its phase graph; the order here is the design's contract."""

from collections.abc import Callable, Iterator

from jaxpot.errors import UserError
from jaxpot.loop.fields import state_fields
from jaxpot.loop.graph import PhaseGraph, check
from jaxpot.loop.phase import SHUFFLE, Cadence, Phase, carried_field
from jaxpot.loop.plan import BATCH, SAMPLES
from jaxpot.spec import AddSchedule, Collect, Debug, Experiment, PayloadKey, payload_keys
from jaxpot.spec.configs.league import League
from jaxpot.spec.payload import collector_timer, evaluator_prefix
from jaxpot.spec.registry import part_row, part_streams, replay_iterations
from jaxpot.spec.windows import evaluator_start, windows_of

_PHASES = "jaxpot.loop.phases:"
_BATCH = "jaxpot.loop.batch:"
_COLLECTORS = "jaxpot.loop.collectors:"


def compile_graph(experiment: Experiment) -> PhaseGraph:
    """Compiles `experiment` into a phase graph: data only, no array and no import of jax.

    The order of an iteration is: the keys advance, the collectors collect, their rows are
    concatenated, training, the target follows, the counter advances, a non-finite update is undone,
    the state is digested; then, on the host, metrics are fetched, evaluators run, the payload is
    completed, checkpoints are written, the league takes a copy, and the loop ticks.
    """
    declared: dict[str, list[PayloadKey]] = {}
    for key in payload_keys(experiment):
        declared.setdefault(key.phase, []).append(key)

    def phase(name: str, **options) -> Phase:
        return Phase(name=name, keys=tuple(declared.pop(name, ())), **options)

    fields, league = state_fields(experiment), experiment.league
    rows = "batch" if replay_iterations(experiment.algorithm) == 1 else "replay"
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
        *([_league_sizes(phase)] if league is not None else []),
        *_collectors(experiment, phase),
        phase(
            BATCH,
            where="device",
            program="iteration",
            reads_if_present=tuple(f"rollout.{name}" for name in windows_of(experiment)),
            writes=("batch",),
            timer="timings/concatenate_batches",
            implementation=_BATCH + "concatenate_batches",
            doc="Computes every row's targets and joins the collectors' rows into one batch.",
        ),
        *([_samples(experiment.debug, phase)] if experiment.debug is not None else []),
        *([_replay(experiment, phase)] if rows == "replay" else []),
        phase(
            "training",
            where="device",
            program="iteration",
            reads=("params", "model_state", "opt_state", rows, "iteration"),
            writes=("params", "model_state", "opt_state", "finite"),
            streams=(SHUFFLE, *part_streams(experiment.model)),
            timer="timings/training",
            implementation=_PHASES + "training",
            doc="Shuffles the valid rows and makes the epochs of minibatch updates.",
        ),
        *([_target_update(phase)] if experiment.target is not None else []),
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
            unchecked=tuple(field.name for field in fields if field.guarded and not field.finite),
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
        *_evaluators(experiment, phase),
        phase("log_payload", where="host", doc="Completes the payload and appends it."),
        *([_standings(league, phase)] if league is not None else []),
        phase("persistence", where="host", doc="Saves periodic, milestone and best checkpoints."),
        *([_freeze(league, experiment.collect, phase)] if league is not None else []),
        phase("tick", where="host", doc="Goes on to the next iteration."),
    ]
    graph = PhaseGraph(
        iterations=experiment.iterations,
        fields=fields,
        phases=tuple(phases),
        profile_every=experiment.runtime.profile_every,
        sample_every=experiment.debug.every if experiment.debug is not None else 0,
    )
    for name, keys in declared.items():
        raise UserError(
            f"payload key {keys[0].name!r} says that phase {name!r} emits it; there are "
            f"{', '.join(each.name for each in phases)}"
        )
    check(graph)
    return graph


def _collectors(experiment: Experiment, phase: Callable[..., Phase]) -> Iterator[Phase]:
    selfplay = experiment.collect.selfplay
    against_target = selfplay is not None and selfplay.opponent == "target"
    reads = {
        "selfplay": ("target",) if against_target else (),
        "random": (),
        "league": ("league", "pool"),
        "archive": ("league", "pool"),
    }
    docs = {
        "selfplay": "The agent plays the target, first in half of the lanes."
        if against_target
        else "The agent plays itself; both seats are trained.",
        "random": "The agent plays uniformly random moves, first in half of the lanes.",
        "league": "The agent plays the league's entries, first in half of each one's lanes.",
        "archive": "The agent plays the archive's active entries, likewise.",
    }
    for name, window in windows_of(experiment).items():
        carried = (carried_field(name),) if experiment.collect.start == "carried" else ()
        yield phase(
            f"collect_{name}",
            where="device",
            program="iteration",
            cadence=Cadence(start=window.start, until=window.until),
            when=window.when,
            reads=(f"key.{name}", "params", "model_state", *reads[name], *carried),
            writes=(
                f"rollout.{name}",
                *(["league"] if "league" in reads[name] else []),
                *carried,
            ),
            streams=part_streams(experiment.algorithm),
            timer=f"timings/{collector_timer(name)}",
            implementation=_COLLECTORS + f"collect_{name}",
            doc=docs[name],
        )


def _league_sizes(phase: Callable[..., Phase]) -> Phase:
    return phase(
        "league_sizes",
        where="device",
        program="iteration",
        reads=("league",),
        implementation=_PHASES + "league_sizes",
        doc="Counts the league's entries, the archive's, and the active ones of those.",
    )


def _samples(debug: Debug, phase: Callable[..., Phase]) -> Phase:
    return phase(
        SAMPLES,
        where="host",
        cadence=Cadence(every=debug.every),
        doc="Plays the iteration's games once more, on the side, and writes samples of their rows.",
    )


def _replay(experiment: Experiment, phase: Callable[..., Phase]) -> Phase:
    carried = windows_of(experiment) if experiment.collect.start == "carried" else ()
    return phase(
        "replay",
        where="device",
        program="iteration",
        reads=("batch", "replay", "iteration"),
        reads_if_present=tuple(f"rollout.{name}" for name in carried),
        writes=("replay",),
        implementation=_BATCH + "replay",
        doc="Tells kept rows how their games went on, and keeps the batch in place of the oldest.",
    )


def _target_update(phase: Callable[..., Phase]) -> Phase:
    return phase(
        "target_update",
        where="device",
        program="iteration",
        reads=("params", "model_state", "target", "iteration"),
        writes=("target",),
        implementation=_PHASES + "target_update",
        doc="Moves the target towards the network, at its own cadence.",
    )


def _evaluators(experiment: Experiment, phase: Callable[..., Phase]) -> Iterator[Phase]:
    for name, evaluator in experiment.eval.items():
        row = part_row(evaluator)
        start = evaluator_start(evaluator, experiment.collect, experiment.league)
        yield phase(
            evaluator_prefix(name),
            where="device",
            program="own",
            cadence=Cadence(every=evaluator.every, start=start),
            reads=("params", "model_state", *(row.reads if row else ())),
            writes=("histograms", *(row.writes if row else ())),
            streams=(f"eval/{name}",),
            timer=f"timings/{evaluator_prefix(name)}",
            helpers=row.programs if row else (),
            implementation=_PHASES + "evaluation",
            doc=f"Evaluates the agent: {evaluator.kind}.",
        )


def _standings(league: League, phase: Callable[..., Phase]) -> Phase:
    return phase(
        "standings",
        where="host",
        cadence=Cadence(every=league.log_every),
        doc="Records every entry's score.",
    )


def _freeze(league: League, collect: Collect, phase: Callable[..., Phase]) -> Phase:
    return phase(
        "league_freeze",
        where="device",
        program="between",
        cadence=AddSchedule.of(league, collect),
        reads=("params", "model_state", "pool", "league", "iteration"),
        writes=("pool", "league", "frozen"),
        implementation=_PHASES + "league_freeze",
        doc="Adds a copy of the agent to the league, and prunes league and archive.",
    )
