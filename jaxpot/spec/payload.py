"""Every key that a run of an experiment will emit, with its type, unit and presence."""

from collections.abc import Iterator
from typing import Any, Literal

import attrs

from jaxpot.errors import UserError
from jaxpot.spec.collect import Collect, collect_keys
from jaxpot.spec.experiment import Experiment
from jaxpot.spec.keys import PayloadKey
from jaxpot.spec.registry import part_keys

__all__ = ["PayloadKey", "evaluator_prefix", "payload_keys"]

LOG = "log_payload"
CONCATENATE = "concatenate_batches"
TRANSFER = "transfer_metrics"

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


def payload_keys(experiment: Experiment) -> tuple[PayloadKey, ...]:
    """Returns every key that a run of `experiment` emits, in the order of its payload.

    Raises:
      UserError: a user's own part was not imported, so that its keys are not known.
    """
    algorithm = part_keys(experiment.algorithm, "")
    if algorithm is None:
        raise _unknown(experiment.algorithm)
    keys = [*loop_keys(), *algorithm, *collect_keys(experiment.collect)]
    for name, evaluator in experiment.eval.items():
        emitted = part_keys(evaluator, evaluator_prefix(name))
        if emitted is None:
            raise _unknown(evaluator)
        keys += emitted
    keys += timing_keys(experiment.collect, experiment.runtime.profile_every)
    keys += (evaluation_time(name, each.every) for name, each in experiment.eval.items())
    return tuple(keys)


def evaluator_prefix(name: str) -> str:
    """Returns the prefix of an evaluator's keys, which is its phase's name too."""
    return f"eval_{name}"


def loop_keys() -> tuple[PayloadKey, ...]:
    """Returns the keys that every run emits at every iteration."""
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


def timing_keys(collect: Collect, profile_every: int) -> Iterator[PayloadKey]:
    """Yields the keys of the iteration's times: as a whole always, by phase every so often.

    Args:
      collect: the collectors that there are.
      profile_every: cadence of iterations whose phases are timed one by one; 0 for never.
    """
    total = "Wall time of an iteration with its evaluations, without compiling and persistence."
    yield _timing("total", total, LOG)
    if profile_every:
        if collect.selfplay is not None:
            yield _timing("collect_selfplay", "Self-play.", every=profile_every)
        if collect.random is not None:
            until = collect.random.until
            yield attrs.evolve(
                _timing("collect_random", "Play against random moves.", every=profile_every),
                until=until,
            )
        yield _timing(CONCATENATE, "Targets, and one batch from all rows.", every=profile_every)
        yield _timing("training", "The updates.", every=profile_every)
        yield _timing(TRANSFER, "Metrics from device to host.", every=profile_every)


def evaluation_time(name: str, every: int) -> PayloadKey:
    """Returns the key of the time that an evaluator takes, which it does whenever it runs."""
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


def _unknown(part: Any) -> UserError:
    return UserError(f"the payload keys of {part.kind} are known only when it is imported")
