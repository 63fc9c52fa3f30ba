"""Configs of schedules: values as functions of the iteration `t`, counted from 0.

For `t < warmup` a schedule rises linearly, `peak * (t + 1) / warmup`, to its first value. After
that, with `p = clip((t - warmup) / (iterations - warmup), 0, 1)`, a linear one is
`init + (end - init) * p` and a cosine one `end + (init - end) * (1 + cos(pi * p)) / 2`.
"""

from typing import ClassVar

import attrs

from jaxpot.spec.fields import INT32_MAX, option

_WARMUP = "Iterations of linear warm-up from zero to the first value."
_ITERATIONS = "Iteration at which `end` is reached, counted from 0 with the warm-up."


@attrs.frozen(kw_only=True)
class Constant:
    """One value, after a warm-up."""

    kind: ClassVar[str] = "constant"

    value: float = option(ge=0, doc="The value.")
    warmup: int = option(default=0, ge=0, le=INT32_MAX, unit="iterations", doc=_WARMUP)

    @property
    def highest(self) -> tuple[str, float]:
        """The field with the schedule's highest value, and that value."""
        return "value", self.value


@attrs.frozen(kw_only=True)
class Linear:
    """A straight line from `init` to `end`, then `end`."""

    kind: ClassVar[str] = "linear"

    init: float = option(ge=0, doc="Value after the warm-up.")
    end: float = option(ge=0, doc="Value from iteration `iterations` on.")
    iterations: int = option(ge=1, le=INT32_MAX, unit="iterations", doc=_ITERATIONS)
    warmup: int = option(default=0, ge=0, le=INT32_MAX, unit="iterations", doc=_WARMUP)

    @property
    def highest(self) -> tuple[str, float]:
        """The field with the schedule's highest value, and that value."""
        return max(("init", self.init), ("end", self.end), key=lambda pair: pair[1])


@attrs.frozen(kw_only=True)
class Cosine:
    """Half a cosine from `init` to `end`, then `end` (SGDR, https://arxiv.org/abs/1608.03983)."""

    kind: ClassVar[str] = "cosine"

    init: float = option(ge=0, doc="Value after the warm-up.")
    end: float = option(ge=0, doc="Value from iteration `iterations` on.")
    iterations: int = option(ge=1, le=INT32_MAX, unit="iterations", doc=_ITERATIONS)
    warmup: int = option(default=0, ge=0, le=INT32_MAX, unit="iterations", doc=_WARMUP)

    @property
    def highest(self) -> tuple[str, float]:
        """The field with the schedule's highest value, and that value."""
        return max(("init", self.init), ("end", self.end), key=lambda pair: pair[1])


Schedule = Constant | Linear | Cosine
