"""Configs of how a run uses the machine."""

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
