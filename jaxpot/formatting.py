"""Numbers, sizes and times as text, for everything that shows them to people."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-=+*%#"


def number(value: float) -> str:
    """Write a number with four significant digits, and whole numbers in full."""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return f"{value:.4g}"


def plural(amount: int, noun: str) -> str:
    """Return an amount of things: `1 run`, `2 runs`."""
    return f"{amount} {noun}{'' if amount == 1 else 's'}"


def percent(value: float) -> str:
    """Write a fraction as a percentage; a small loss never rounds to 0 or 100."""
    if not math.isfinite(value):
        return number(value)
    shown = f"{100 * value:.1f}"
    if value > 0 and shown == "0.0":
        return "<0.1 %"
    if value < 1 and shown == "100.0":
        return ">99.9 %"
    return f"{shown} %"


def count(value: float) -> str:
    """Write a large number with a unit prefix: `574 k`, `1.2 M`."""
    for divisor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= divisor:
            scaled = value / divisor
            return f"{scaled:.1f} {prefix}" if scaled < 10 else f"{scaled:.0f} {prefix}"
    return f"{value:.0f}"


def size(amount: float) -> str:
    """Write a number of bytes in the largest unit that it fills: `812 B`, `1.2 MiB`."""
    if amount < 1024:
        return f"{amount:.0f} B"
    scaled = amount / 1024
    for unit in ("KiB", "MiB", "GiB"):
        if round(scaled, 1) < 1024:
            return f"{scaled:.1f} {unit}"
        scaled /= 1024
    return f"{scaled:.1f} TiB"


def duration(seconds: float) -> str:
    """Write a length of time: `0:09`, `1:02:03`, `2 d 3:04:05`."""
    if not math.isfinite(seconds) or seconds < 0:
        return "-:--"
    minutes, second = divmod(int(seconds + 0.5), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days} d {hour}:{minute:02}:{second:02}"
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def span(seconds: float) -> str:
    """Write a measured time: `7.1 ms`, `3.42 s`, `5:12`."""
    if not math.isfinite(seconds):
        return number(seconds)
    if seconds < 0.001:
        return f"{1e6 * seconds:.0f} us"
    if seconds < 1:
        return f"{1e3 * seconds:.1f} ms" if seconds < 0.1 else f"{1e3 * seconds:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 100 else duration(seconds)


def sparkline(values: Sequence[float], width: int, *, ascii_only: bool = False) -> str:
    """Draw a series in one line of at most `width` characters, scaled to its extremes.

    Longer series are averaged in buckets; a bucket without a finite value is drawn as `!`.
    """
    blocks = ASCII_BLOCKS if ascii_only else BLOCKS
    means = [_mean(bucket) for bucket in _buckets(values, width)]
    finite = [mean for mean in means if math.isfinite(mean)]
    if not finite:
        return "!" * len(means)
    low, high = min(finite), max(finite)
    scale = (len(blocks) - 1) / (high - low) if high > low else 0.0
    return "".join(
        blocks[round((mean - low) * scale)] if math.isfinite(mean) else "!" for mean in means
    )


def bounds(least: float | None, most: float | None) -> str:
    """Write the bounds of a gate: `>= 0.9`, `<= 0.005`, `0.1..0.2`."""
    if least is not None and most is not None:
        return f"{number(least)}..{number(most)}"
    if least is not None:
        return f">= {number(least)}"
    return "" if most is None else f"<= {number(most)}"


def printable(text: str, *, keep: str = "\n\t\u00a0") -> str:
    """Replace control characters, which could move a terminal's cursor.

    Args:
        text: Text from an unknown source.
        keep: Unprintable characters to keep.
    """
    return "".join(char if char.isprintable() or char in keep else "\ufffd" for char in text)


def _buckets(values: Sequence[float], width: int) -> list[Sequence[float]]:
    total = len(values)
    columns = max(0, min(width, total))
    edges = [column * total // columns for column in range(columns + 1)] if columns else [0]
    return [values[start:stop] for start, stop in itertools.pairwise(edges)]


def _mean(bucket: Sequence[float]) -> float:
    finite = [value for value in bucket if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan
