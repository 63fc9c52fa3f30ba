"""Configs of the optax optimizers, with gradient clipping and accumulation."""

from collections.abc import Iterator
from typing import ClassVar

import attrs

from jaxpot.spec.configs.schedules import Schedule
from jaxpot.spec.fields import INT32_MAX, Derived, option

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
        """Yields what an update computes of these numbers."""
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
