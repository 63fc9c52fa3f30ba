"""Configs of how a run uses the machine."""

from typing import Literal

import attrs

from jaxpot.spec.fields import INT32_MAX, option


@attrs.frozen(kw_only=True)
class Runtime:
    """How a run uses the machine."""

    deterministic: bool = option(
        default=True, doc="Whether a GPU is held to operations that repeat bit for bit."
    )
    nproc: int | None = option(
        default=None,
        ge=1,
        le=4096,
        unit="threads",
        doc="Threads of the CPU backend, which its results depend on; without it, all cores.",
    )
    profile_every: int = option(
        default=100,
        ge=0,
        le=INT32_MAX,
        unit="iterations",
        doc="Cadence of iterations whose phases are timed one by one; 0 for never.",
    )
    devices: int = option(default=1, ge=1, le=INT32_MAX, doc="Devices that share the training.")
    compilation_cache: bool = option(
        default=True, doc="Whether compiled programs are kept in the user's cache directory."
    )


MAX_SAMPLES = 10_000


@attrs.frozen(kw_only=True)
class Debug:
    """Writes readable samples of what is trained on; `jaxpot samples` shows them."""

    every: int = option(ge=1, le=INT32_MAX, unit="iterations", doc="Iterations between dumps.")
    samples: int = option(
        default=50,
        ge=1,
        le=MAX_SAMPLES,
        unit="rows",
        doc="Most rows of a dump: the first whole games of every collector.",
    )
    keep_last: int = option(
        default=100, ge=1, le=INT32_MAX, doc="How many dumps are kept, the newest."
    )


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
