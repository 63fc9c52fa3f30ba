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
        mean: Their mean; NaN or infinite where one of them is not finite.
        standard_error: That of the mean; None for a single value, or where one is not finite.
        min: The least that is not NaN.
        max: The greatest that is not NaN.
    """

    count: int
    mean: float
    standard_error: float | None
    min: float
    max: float


@attrs.frozen
class Welch:
    """Difference of two means whose variances may differ (Welch's t).

    Attributes:
        difference: The first minus the second.
        error: Standard error of the difference.
        ratio: The difference in standard errors; infinite where neither has any spread.
        freedom: Degrees of freedom by Welch and Satterthwaite; NaN without any spread.
    """

    difference: float
    error: float
    ratio: float
    freedom: float


def spread_of(values: Sequence[float]) -> Spread:
    """Compute the mean and its standard error, that of the sample: divided by n - 1."""
    count = len(values)
    numbers = [value for value in values if not math.isnan(value)]
    least, most = (min(numbers), max(numbers)) if numbers else (math.nan, math.nan)
    if not all(map(math.isfinite, values)):
        return Spread(count, sum(values) / count, None, least, most)
    try:
        mean = math.fsum(values) / count
    except OverflowError:
        mean = math.fsum(value / count for value in values)
    if count < 2:
        return Spread(count, mean, None, least, most)
    # hypot, since the square of 1e200 is no float.
    deviation = math.hypot(*(value - mean for value in values)) / math.sqrt(count - 1)
    return Spread(count, mean, deviation / math.sqrt(count), least, most)


def welch(one: Spread, other: Spread) -> Welch | None:
    """Compute how far apart two means are; None where one of them has no standard error."""
    if one.standard_error is None or other.standard_error is None:
        return None
    difference = one.mean - other.mean
    error = math.hypot(one.standard_error, other.standard_error)
    if error == 0:
        ratio = math.copysign(math.inf, difference) if difference else 0.0
        return Welch(difference, 0.0, ratio, math.nan)
    shares = ((one.standard_error / error) ** 2, (other.standard_error / error) ** 2)
    weights = zip(shares, (one.count, other.count), strict=True)
    freedom = sum(shares) ** 2 / sum(share**2 / (count - 1) for share, count in weights)
    return Welch(difference, error, difference / error, freedom)
