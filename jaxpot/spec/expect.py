"""Configs of learning gates."""

from typing import Literal

import attrs

from jaxpot.spec.fields import INT32_MAX, option


@attrs.frozen(kw_only=True)
class Expect:
    """A bound that a metric must keep, judged when a run has done all its iterations."""

    metric: str = option(doc="Payload key that is judged.")
    at: Literal["last", "best", "any"] | int = option(
        default="last",
        ge=0,
        le=INT32_MAX,
        doc="Which value is judged: the last iteration's, the run's best one (the highest under "
        "`min`, the lowest under `max`), whether any keeps the bounds, or that of an iteration "
        "given as a number.",
    )
    min: float | None = option(default=None, doc="Smallest value that passes.")
    max: float | None = option(default=None, doc="Largest value that passes.")
