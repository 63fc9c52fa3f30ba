"""Configs of the optax optimizers, with gradient clipping and accumulation."""

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
        """Yield the numbers that the schedule computes of these."""
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
        """Yield the numbers that the schedule computes of these."""
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
        """Yield the numbers that the schedule computes of these."""
        yield from _warming_up("init", self.init, self.warmup)
        if self.init and self.end:
            yield Derived("init", self.init, "end + (init - end)", lambda x: _moved(self.end, x))


def _warming_up(field: str, peak: float, warmup: int) -> Iterator[Derived]:
    if peak and warmup:
        yield Derived(field, peak, f"{field} / warmup", lambda x: x / warmup)


def _moved(start: float, end: float) -> float:
    """Return where a schedule's own arithmetic, in float32, comes from `start` to `end`."""
    return rounded(rounded(start) + rounded(end - start))


Schedule = Constant | Linear | Cosine


_LEARNING_RATE = "Step size: a number, or a schedule of the iteration."
_B1 = "Decay of the running mean of the gradient."
_B2 = "Decay of the running mean of its square."
_EPS = "Added to the denominator of an update."
_MAX_GRAD_NORM = "Global norm to which a gradient is clipped; without it, it is not."
_ACCUMULATE_STEPS = "Minibatches whose mean gradient makes one update; a rest carries over."


@attrs.frozen(kw_only=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter, https://arxiv.org/abs/1711.05101)."""

    kind: ClassVar[str] = "adamw"

    learning_rate: float | Schedule = option(default=1e-3, gt=0, doc=_LEARNING_RATE)
    b1: float = option(default=0.9, ge=0, lt=1, doc=_B1)
    b2: float = option(default=0.999, ge=0, lt=1, doc=_B2)
    eps: float = option(default=1e-8, gt=0, doc=_EPS)
    weight_decay: float = option(
        default=1e-4, ge=0, doc="Share of a parameter taken off per update, times the step size."
    )
    max_grad_norm: float | None = option(default=None, gt=0, doc=_MAX_GRAD_NORM)
    accumulate_steps: int = option(
        default=1, ge=1, le=INT32_MAX, unit="minibatches", doc=_ACCUMULATE_STEPS
    )

    def derived_numbers(self) -> Iterator[Derived]:
        """Yield what an update computes of these numbers."""
        rate = self.learning_rate
        peak = rate if isinstance(rate, float | int) else rate.highest[1]
        if peak * self.weight_decay > 1:  # a small product is as small as it is meant to be
            product = "learning_rate * weight_decay"
            yield Derived("weight_decay", self.weight_decay, product, lambda x: peak * x)


@attrs.frozen(kw_only=True)
class Adam:
    """Adam (Kingma & Ba, https://arxiv.org/abs/1412.6980)."""

    kind: ClassVar[str] = "adam"

    learning_rate: float | Schedule = option(default=1e-3, gt=0, doc=_LEARNING_RATE)
    b1: float = option(default=0.9, ge=0, lt=1, doc=_B1)
    b2: float = option(default=0.999, ge=0, lt=1, doc=_B2)
    eps: float = option(default=1e-8, gt=0, doc=_EPS)
    max_grad_norm: float | None = option(default=None, gt=0, doc=_MAX_GRAD_NORM)
    accumulate_steps: int = option(
        default=1, ge=1, le=INT32_MAX, unit="minibatches", doc=_ACCUMULATE_STEPS
    )


@attrs.frozen(kw_only=True)
class SGD:
    """Stochastic gradient descent with momentum."""

    kind: ClassVar[str] = "sgd"

    learning_rate: float | Schedule = option(default=1e-3, gt=0, doc=_LEARNING_RATE)
    momentum: float = option(default=0.0, ge=0, lt=1, doc="Decay of the running sum of gradients.")
    nesterov: bool = option(default=False, doc="Whether the momentum is Nesterov's.")
    max_grad_norm: float | None = option(default=None, gt=0, doc=_MAX_GRAD_NORM)
    accumulate_steps: int = option(
        default=1, ge=1, le=INT32_MAX, unit="minibatches", doc=_ACCUMULATE_STEPS
    )


OptimizerConfig = AdamW | Adam | SGD
