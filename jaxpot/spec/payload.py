"""Every key that a run of an experiment will emit, with its type, unit and presence."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import attrs

from jaxpot.errors import UserError
from jaxpot.spec.configs.auxiliary import auxiliary_keys
from jaxpot.spec.configs.collect import Collect
from jaxpot.spec.configs.evaluators import ArchiveEvaluator
from jaxpot.spec.configs.experiment import Experiment
from jaxpot.spec.configs.league import AddSchedule, League
from jaxpot.spec.keys import Cadence, PayloadKey
from jaxpot.spec.registry import part_keys

__all__ = ["PayloadKey", "evaluator_prefix", "payload_keys"]

LOG = "log_payload"
CONCATENATE = "concatenate_batches"
TRANSFER = "transfer_metrics"
LEAGUE_SIZES = "league_sizes"

_LOOP_KEYS: tuple[tuple[str, Literal["int", "float"], str, str, str], ...] = (
    ("iter", "int", "iterations", "Iteration, from 0.", LOG),
    ("num_rollouts", "int", "rollouts", "Trained seats' trajectories completed so far.", LOG),
    ("num_episodes", "int", "games", "Games completed so far.", LOG),
    (
        "iteration/rollouts",
        "int",
        "rollouts",
        "Trained seats' trajectories completed in this iteration.",
        CONCATENATE,
    ),
    ("iteration/episodes", "int", "games", "Games completed in this iteration.", CONCATENATE),
    ("iteration/num_samples", "int", "rows", "Rows collected for trained seats.", CONCATENATE),
    ("iteration/num_valid_samples", "int", "rows", "Rows that are trained on.", CONCATENATE),
    (
        "iteration/valid_percentage",
        "float",
        "fraction",
        "Valid rows of those collected, 0 to 1.",
        CONCATENATE,
    ),
    ("iteration/env_steps", "int", "steps", "Environment steps taken.", CONCATENATE),
)

_LEAGUE_KEYS = (
    ("iteration/league_size", "Entries of the league that this iteration found."),
    ("iteration/league_archive_size", "Entries of the archive that this iteration found."),
    ("iteration/active_archive_size", "Active ones of those: the archive's opponents here."),
)
_OPPONENTS = {
    "random": "in the games finished against random moves",
    "league": "in the games finished against the league's entries",
    "archive": "in the games finished against the archive's active entries",
}
_COLLECTING = {
    "selfplay": "Self-play.",
    "random": "Play against random moves.",
    "league": "Play against the league.",
    "archive": "Play against the archive's active entries.",
}


def payload_keys(experiment: Experiment) -> tuple[PayloadKey, ...]:
    """Return every key that a run of `experiment` emits, in the order of its payload.

    Raises:
      UserError: a user's own part was not imported, so that its keys are not known.
    """
    algorithm = part_keys(experiment.algorithm, "")
    if algorithm is None:
        raise _unknown(experiment.algorithm)
    windows = collector_windows(experiment.collect, experiment.league, experiment.eval)
    keys = [*loop_keys(), *league_keys(experiment.league), *algorithm]
    keys += [*auxiliary_keys(experiment.auxiliary), *collect_keys(windows)]
    timings = [*timing_keys(windows, experiment.runtime.profile_every)]
    for name, evaluator in experiment.eval.items():
        start = evaluator_start(evaluator, experiment.collect, experiment.league)
        emitted = evaluator_keys(name, evaluator, start)
        if emitted is None:
            raise _unknown(evaluator)
        keys += emitted[:-1]
        timings += emitted[-1:]
    for name, phase in experiment.phases.items():
        emitted = phase_keys(name, phase)
        if emitted is None:
            raise _unknown(phase)
        keys += emitted
    return (*keys, *timings)


def league_keys(league: League | None) -> tuple[PayloadKey, ...]:
    """Return the keys that a run with a league emits at every iteration."""
    rows = () if league is None else _LEAGUE_KEYS
    return tuple(
        PayloadKey(name=name, dtype="int", unit="entries", doc=doc, phase=LEAGUE_SIZES)
        for name, doc in rows
    )


def collect_keys(windows: Mapping[str, Cadence]) -> tuple[PayloadKey, ...]:
    """Return the keys that the collectors emit about their games, given their windows."""
    return tuple(
        _in_window(
            windows[name],
            PayloadKey(
                name=f"train_vs_{name}/reward",
                dtype="float",
                unit="reward",
                doc=f"Mean return of the network {where}.",
                phase=f"collect_{name}",
            ),
        )
        for name, where in _OPPONENTS.items()
        if name in windows
    )


def evaluator_keys(name: str, evaluator: Any, start: int) -> tuple[PayloadKey, ...] | None:
    """Return an evaluator's keys, its time the last; None where they cannot be known.

    Args:
      name: the evaluator's, under `[eval]`.
      evaluator: its config.
      start: first iteration at which it can run.
    """
    prefix = evaluator_prefix(name)
    emitted = part_keys(evaluator, prefix)
    if emitted is None:
        return None
    time = evaluation_time(name, evaluator.every)
    return tuple(attrs.evolve(key, start=start) if start else key for key in (*emitted, time))


def phase_keys(name: str, phase: Any) -> tuple[PayloadKey, ...] | None:
    """Return the keys of a phase of the user's own; None where they cannot be known.

    Raises:
      UserError: a key is not below the phase's name.
    """
    emitted = part_keys(phase, name)
    if emitted is None:
        return None
    for key in emitted:
        if not key.name.startswith(f"{name}/") and key.name != f"timings/{name}":
            raise UserError(
                f"phases.{name}: its key {key.name!r} must start with '{name}/', or be its timer "
                f"'timings/{name}'"
            )
    return tuple(attrs.evolve(key, phase=name) for key in emitted)


def evaluator_prefix(name: str) -> str:
    """Return the prefix of an evaluator's keys, which is its phase's name too."""
    return f"eval_{name}"


def loop_keys() -> tuple[PayloadKey, ...]:
    """Return the keys that every run emits at every iteration."""
    counts = (
        PayloadKey(name=name, dtype=dtype, unit=unit, doc=doc, phase=phase)
        for name, dtype, unit, doc, phase in _LOOP_KEYS
    )
    speed = PayloadKey(
        name="iteration/sps",
        dtype="float",
        unit="rows/s",
        doc="`iteration/num_samples` over `timings/total`.",
        phase=LOG,
        wall_clock=True,
    )
    return (*counts, speed)


def timing_keys(windows: Mapping[str, Cadence], profile_every: int) -> Iterator[PayloadKey]:
    """Yield the keys of the iteration's times: as a whole always, by phase every so often.

    Args:
      windows: of the collectors that there are.
      profile_every: cadence of iterations whose phases are timed one by one; 0 for never.
    """
    total = "Wall time of an iteration with its evaluations, without compiling and persistence."
    yield _timing("total", total, LOG)
    if profile_every:
        for name, window in windows.items():
            key = _timing(
                collector_timer(name), _COLLECTING[name], f"collect_{name}", every=profile_every
            )
            yield _in_window(window, key)
        yield _timing(CONCATENATE, "Targets, and one batch from all rows.", every=profile_every)
        yield _timing("training", "The updates.", every=profile_every)
        yield _timing(TRANSFER, "Metrics from device to host.", every=profile_every)


def collector_timer(name: str) -> str:
    """Return the name of a collector's time, after `timings/`."""
    return "collect_archive_league" if name == "archive" else f"collect_{name}"


def evaluation_time(name: str, every: int) -> PayloadKey:
    """Return the key of the time that an evaluator takes, which it does whenever it runs."""
    return _timing(evaluator_prefix(name), "The evaluation.", every=every)


def _timing(timed: str, doc: str, phase: str | None = None, *, every: int = 1) -> PayloadKey:
    return PayloadKey(
        name=f"timings/{timed}",
        dtype="float",
        unit="s",
        doc=doc,
        phase=phase or timed,
        every=every,
        wall_clock=True,
    )


def _in_window(window: Cadence, key: PayloadKey) -> PayloadKey:
    return attrs.evolve(key, start=window.start, until=window.until, when=window.when)


def _unknown(part: Any) -> UserError:
    return UserError(f"the payload keys of {part.kind} are known only when it is imported")


ARCHIVE_ACTIVE = "archive_active"
"""The condition that an archived entry is active; evaluators of the archive decide on it."""

CONDITIONS = {ARCHIVE_ACTIVE: "while an archived entry is active"}
"""Conditions of the run's state, in words."""


def collector_windows(
    collect: Collect, league: League | None, evaluators: Mapping[str, Any]
) -> dict[str, Cadence]:
    """Return the window of each collector that there is, by name, in the order of an iteration.

    The league's and the archive's are left out where the spec lacks what they need.
    """
    windows: dict[str, Cadence] = {}
    if collect.selfplay is not None:
        windows["selfplay"] = Cadence()
    if collect.random is not None:
        windows["random"] = Cadence(until=collect.random.until)
    if league is not None:
        schedule = AddSchedule.of(league, collect)
        cadences = [x.every for x in evaluators.values() if isinstance(x, ArchiveEvaluator)]
        if collect.league is not None:
            windows["league"] = Cadence(start=schedule.start + 1)
        if collect.archive is not None and cadences:
            # What follows the first evaluation that finds an archived entry can find one active.
            recall = min(-(-(schedule.archive_start + 1) // every) * every for every in cadences)
            windows["archive"] = Cadence(start=recall, when=ARCHIVE_ACTIVE)
    return windows


def windows_of(experiment: Experiment) -> dict[str, Cadence]:
    """Return the windows of an experiment's collectors, by name."""
    return collector_windows(experiment.collect, experiment.league, experiment.eval)


def evaluator_start(evaluator: Any, collect: Collect, league: League | None) -> int:
    """Return the first iteration at which an evaluator can run."""
    if isinstance(evaluator, ArchiveEvaluator) and league is not None:
        return AddSchedule.of(league, collect).archive_start
    return 0
