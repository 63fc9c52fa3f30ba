"""Configs of learning gates."""

from typing import Literal

import attrs

from jaxpot.spec.fields import INT32_MAX, option

MAX_SEEDS = 1000


@attrs.frozen(kw_only=True)
class Expect:
    """A bound that a metric must keep, judged when a run, or one of each seed, is complete."""

    metric: str = option(doc="Payload key that is judged.")
    at: Literal["last", "best", "any"] | int = option(
        default="last",
        ge=0,
        le=INT32_MAX,
        doc="Which value is judged: the last iteration's, the run's best one (the highest under "
        "`min`, the lowest under `max`), whether any keeps the bounds, or that of an iteration "
        "given as a number.",
    )
    min: float | None = option(default=None, host=True, doc="Smallest value that passes.")
    max: float | None = option(default=None, host=True, doc="Largest value that passes.")
    seeds: int = option(
        default=1,
        ge=1,
        le=MAX_SEEDS,
        later=True,
        doc="How many runs that differ in their seed it takes at least; above 1 it is their "
        "`statistic` that is judged, by `jaxpot run --seeds` or `jaxpot expect`.",
    )
    statistic: Literal["mean", "median", "min", "max"] = option(
        default="mean",
        later=True,
        doc="What of the seeds' values is judged: `min` and `max` are the lowest and the highest.",
    )
