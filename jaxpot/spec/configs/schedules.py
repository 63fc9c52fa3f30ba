"""Configs of schedules: values as functions of the iteration `t`, counted from 0.

For `t < warmup` a schedule rises linearly, `peak * (t + 1) / warmup`, to its first value. After
that, with `p = clip((t - warmup) / (iterations - warmup), 0, 1)`, a linear one is
`init + (end - init) * p` and a cosine one `end + (init - end) * (1 + cos(pi * p)) / 2`.
"""

from collections.abc import Iterator
from typing import ClassVar

import attrs

from jaxpot.spec.fields import INT32_MAX, Derived, option
from jaxpot.spec.float32 import rounded

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

    def derived_numbers(self) -> Iterator[Derived]:
        """Yields the numbers that the schedule computes of these."""
        yield from _warming_up("value", self.value, self.warmup)


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

    def derived_numbers(self) -> Iterator[Derived]:
        """Yields the numbers that the schedule computes of these."""
        yield from _warming_up("init", self.init, self.warmup)
        if self.end and self.init:
            yield Derived("end", self.end, "init + (end - init)", lambda x: _moved(self.init, x))


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

    def derived_numbers(self) -> Iterator[Derived]:
        """Yields the numbers that the schedule computes of these."""
        yield from _warming_up("init", self.init, self.warmup)
        if self.init and self.end:
            yield Derived("init", self.init, "end + (init - end)", lambda x: _moved(self.end, x))


def _warming_up(field: str, peak: float, warmup: int) -> Iterator[Derived]:
    if peak and warmup:
        yield Derived(field, peak, f"{field} / warmup", lambda x: x / warmup)


def _moved(start: float, end: float) -> float:
    """Returns where a schedule's own arithmetic, in float32, comes from `start` to `end`."""
    return rounded(rounded(start) + rounded(end - start))


Schedule = Constant | Linear | Cosine
