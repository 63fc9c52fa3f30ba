"""Configs of what helps to find out what training really sees."""

import attrs

from jaxpot.spec.fields import INT32_MAX, option

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
