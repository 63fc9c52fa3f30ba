"""Configs of what a run saves, and when."""

from typing import Literal

import attrs

from jaxpot.spec.fields import INT32_MAX, option


@attrs.frozen(kw_only=True)
class Best:
    """Checkpoints kept for the best values of a metric."""

    metric: str = option(doc="Payload key that ranks them.")
    mode: Literal["max", "min"] = option(
        default="max", doc="Whether the highest or the lowest value is best."
    )
    keep: int = option(default=1, ge=1, le=INT32_MAX, doc="How many are kept.")
    every: int | None = option(
        default=None,
        ge=1,
        le=INT32_MAX,
        unit="iterations",
        doc="Cadence at which the metric is looked at; without it, an evaluator's metric has its "
        "evaluator's, any other `checkpoint.every`.",
    )


@attrs.frozen(kw_only=True)
class Checkpoint:
    """What a run saves; one is always saved when a run ends, is stopped or is interrupted."""

    every: int | None = option(
        default=100,
        ge=1,
        le=INT32_MAX,
        unit="iterations",
        doc='Cadence of periodic checkpoints; `"none"` for none.',
    )
    keep_last: int = option(
        default=5, ge=1, le=INT32_MAX, doc="How many periodic checkpoints are kept."
    )
    milestone_every: int | None = option(
        default=None,
        ge=1,
        le=INT32_MAX,
        unit="iterations",
        doc="Cadence of checkpoints that are never deleted; without it there are none.",
    )
    best: Best | None = option(default=None, doc="Keeps the best ones; absent is off.")
