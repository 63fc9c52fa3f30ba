"""Means over seeds, and how far apart two of them are in standard errors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs


@attrs.frozen
class Spread:
    """Values of one measurement under several seeds.

    Attributes:
        count: How many there are.
        mean: Their mean; NaN where one of them is not finite.
        error: Standard error of the mean; None of a single value, or where one is not finite.
        min: The least.
        max: The greatest.
    """

    count: int
    mean: float
    error: float | None
    min: float
    max: float


@attrs.frozen
class Welch:
    """Two means that need not have one variance.

    Attributes:
        difference: The first less the second.
        error: Standard error of the difference.
        ratio: The difference in such errors; infinite where neither of the two has any spread.
        freedom: Degrees of freedom by Welch and Satterthwaite; NaN without any spread.
    """

    difference: float
    error: float
    ratio: float
    freedom: float


def spread_of(values: Sequence[float]) -> Spread:
    """Give the mean of values and its standard error, that of the sample: divided by n - 1."""
    count = len(values)
    if not all(map(math.isfinite, values)):
        finite = [value for value in values if math.isfinite(value)]
        low, high = (min(finite), max(finite)) if finite else (math.nan, math.nan)
        return Spread(count, math.nan, None, low, high)
    mean = math.fsum(values) / count
    if count < 2:
        return Spread(count, mean, None, mean, mean)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return Spread(count, mean, math.sqrt(variance / count), min(values), max(values))


def welch(one: Spread, other: Spread) -> Welch | None:
    """Give how far apart two means are; None where one of them has no standard error."""
    if one.error is None or other.error is None:
        return None
    difference = one.mean - other.mean
    squares = (one.error**2, other.error**2)
    error = math.sqrt(sum(squares))
    if error == 0:
        ratio = math.copysign(math.inf, difference) if difference else 0.0
        return Welch(difference, 0.0, ratio, math.nan)
    weights = zip(squares, (one.count, other.count), strict=True)
    freedom = sum(squares) ** 2 / sum(square**2 / (count - 1) for square, count in weights)
    return Welch(difference, error, difference / error, freedom)
