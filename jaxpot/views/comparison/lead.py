"""Who is ahead in a key, and by how many standard errors."""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs

from jaxpot.statistics import Spread, Welch, welch

SINGLE = "n = 1"
"""Why no distance is told: one of the two is a single run, which has no standard error."""


@attrs.frozen
class Lead:
    """Who is ahead in a key.

    Attributes:
        best: Label of the group with the best mean; None where nothing can be said.
        second: Label of the next.
        welch: The distance between the two; None where one of them is a single run.
        why: Why nothing, or no number of standard errors, can be said; empty where it can.
    """

    best: str | None
    second: str | None
    welch: Welch | None
    why: str = ""


def lead_of(sense: str | None, spreads: Mapping[str, Spread]) -> Lead:
    """Compare the two best groups of a key.

    Args:
        sense: Which way it is better: `up`, `down` or None.
        spreads: The groups' values, by their labels.
    """
    if sense is None:
        return Lead(None, None, None, "no better or worse")
    finite = {label: spread for label, spread in spreads.items() if math.isfinite(spread.mean)}
    if len(finite) < 2:
        return Lead(None, None, None, "nobody to compare with")
    sign = 1.0 if sense == "up" else -1.0
    ranked = sorted(finite, key=lambda label: -sign * finite[label].mean)
    best, second = finite[ranked[0]], finite[ranked[1]]
    if best.mean == second.mean:
        return Lead(None, None, welch(best, second), "equal")
    apart = welch(best, second)
    return Lead(ranked[0], ranked[1], apart, "" if apart else SINGLE)
