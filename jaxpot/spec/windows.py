"""When each collector and each evaluator can run: what the spec says of time, in one place."""

from collections.abc import Mapping
from typing import Any

import attrs

from jaxpot.spec.configs.collect import Collect
from jaxpot.spec.configs.evaluators import ArchiveEvaluator
from jaxpot.spec.configs.experiment import Experiment
from jaxpot.spec.configs.league import AddSchedule, League

ARCHIVE_ACTIVE = "archive_active"
"""The condition that an archived entry is active; evaluators of the archive decide on it."""

CONDITIONS = {ARCHIVE_ACTIVE: "while an archived entry is active"}
"""Conditions of the run's state, in words."""


@attrs.frozen
class Window:
    """Iterations from `start` until before `until`; with `when`, those where it holds as well."""

    start: int = 0
    until: int | None = None
    when: str | None = None


def collector_windows(
    collect: Collect, league: League | None, evaluators: Mapping[str, Any]
) -> dict[str, Window]:
    """Returns the window of each collector that there is, by name, in the order of an iteration.

    The league's and the archive's are left out where the spec lacks what they need.
    """
    windows: dict[str, Window] = {}
    if collect.selfplay is not None:
        windows["selfplay"] = Window()
    if collect.random is not None:
        windows["random"] = Window(until=collect.random.until)
    if league is not None:
        schedule = AddSchedule.of(league, collect)
        cadences = [x.every for x in evaluators.values() if isinstance(x, ArchiveEvaluator)]
        if collect.league is not None:
            windows["league"] = Window(start=schedule.first + 1)
        if collect.archive is not None and cadences:
            # What follows the first evaluation that finds an archived entry can find one active.
            recall = min(-(-(schedule.archive_start + 1) // every) * every for every in cadences)
            windows["archive"] = Window(start=recall, when=ARCHIVE_ACTIVE)
    return windows


def windows_of(experiment: Experiment) -> dict[str, Window]:
    """Returns the windows of an experiment's collectors, by name."""
    return collector_windows(experiment.collect, experiment.league, experiment.eval)


def evaluator_start(evaluator: Any, collect: Collect, league: League | None) -> int:
    """Returns the first iteration at which an evaluator can run."""
    if isinstance(evaluator, ArchiveEvaluator) and league is not None:
        return AddSchedule.of(league, collect).archive_start
    return 0
