"""The float32 of a spec's numbers: the program computes in it, TOML and Python in float64.

XLA takes a number nearer to zero than the smallest normal one for zero (on CPU whenever it
computes with it), so that counts as lost.
"""

import math
import struct
from collections.abc import Callable

SMALLEST = 2.0**-126
"""Smallest normal number above zero."""

LARGEST = 2.0**128 - 2.0**104


def rounded(number: float) -> float:
    """Return the float32 nearest to a number, infinite where there is none."""
    try:
        return struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        return math.copysign(math.inf, number)


def loss(number: float) -> str:
    """Say what becomes of a number that float32 cannot hold; "" where it can."""
    if not math.isfinite(rounded(number)):
        return "is infinite"
    if number and abs(rounded(number)) < SMALLEST:
        return "is 0"
    return ""


def shortest(number: float) -> str:
    """Return the shortest decimal number whose float32 is that of `number`."""
    value = rounded(number)
    texts = (f"{value:.{digits}g}" for digits in range(1, 10))
    text = next(text for text in texts if rounded(float(text)) == value)
    return repr(float(text)).removesuffix(".0")


def near(number: float, holds: Callable[[float], bool]) -> str:
    """Say in words which numbers close to a refused one hold; "" where none does."""
    start = min(max(abs(number), SMALLEST / 4), LARGEST * 2)
    ways = ("at least", "at most") if number > 0 else ("at most", "at least")
    for words, factor in zip(ways, (2.0, 0.5), strict=True):
        bad, good = start, start * factor
        while not holds(math.copysign(good, number)) and SMALLEST / 8 < good < LARGEST * 4:
            bad, good = good, good * factor
        if not holds(math.copysign(good, number)):
            continue
        for _ in range(60):
            middle = (bad + good) / 2
            inside = holds(math.copysign(middle, number))
            bad, good = (bad, middle) if inside else (middle, good)
        text = shortest(math.copysign(good, number))
        if not holds(float(text)):
            text = repr(math.copysign(good, number))
        return f"{'0, or ' if factor > 1 and holds(0.0) else ''}{words} {text}"
    return ""
