import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxpot import formatting as words


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (words.number, 123_456, "123456"),
        (words.number, 0.123456, "0.1235"),
        (words.number, math.nan, "nan"),
        (words.number, -math.inf, "-inf"),
        (words.percent, 0.0, "0.0 %"),
        (words.percent, 0.0002, "<0.1 %"),
        (words.percent, 0.9999, ">99.9 %"),
        (words.percent, 1.0, "100.0 %"),
        (words.percent, math.nan, "nan"),
        (words.count, 999, "999"),
        (words.count, 1234, "1.2 k"),
        (words.count, 574_321, "574 k"),
        (words.count, 2.5e9, "2.5 G"),
        (words.size, 812, "812 B"),
        (words.size, 1023, "1023 B"),
        (words.size, 1024, "1.0 KiB"),
        (words.size, 1536, "1.5 KiB"),
        (words.size, (1 << 20) - 1, "1.0 MiB"),
        (words.size, 5 << 30, "5.0 GiB"),
        (words.size, 1 << 50, "1024.0 TiB"),
        (words.duration, 9.4, "0:09"),
        (words.duration, 59.6, "1:00"),
        (words.duration, 3723, "1:02:03"),
        (words.duration, 180_245, "2 d 2:04:05"),
        (words.duration, math.inf, "-:--"),
        (words.span, 0.0004, "400 us"),
        (words.span, 0.0071, "7.1 ms"),
        (words.span, 0.25, "250 ms"),
        (words.span, 3.4215, "3.42 s"),
        (words.span, 312, "5:12"),
        (words.span, math.nan, "nan"),
    ],
)
def test_values_in_words(write, value, text):
    assert write(value) == text


@pytest.mark.parametrize(
    ("least", "most", "text"),
    [(0.9, None, ">= 0.9"), (None, 0.0, "<= 0"), (0.1, 0.2, "0.1..0.2"), (None, None, "")],
)
def test_bounds(least, most, text):
    assert words.bounds(least, most) == text


def test_sparkline_goes_from_least_to_greatest():
    assert words.sparkline(range(8), 8) == words.BLOCKS
    assert words.sparkline(range(16), 8) == words.BLOCKS
    assert words.sparkline(range(8), 8, ascii_only=True) == words.ASCII_BLOCKS


def test_sparkline_of_a_constant_is_flat():
    assert words.sparkline([2.0, 2.0], 8) == "▁▁"


def test_sparkline_marks_what_is_not_finite():
    assert words.sparkline([0.0, math.nan, 1.0], 8) == "▁!█"
    assert words.sparkline([math.inf], 8) == "!"


@given(st.lists(st.floats(width=32)), st.integers(min_value=0, max_value=40))
def test_sparkline_never_exceeds_its_width(values, width):
    assert len(words.sparkline(values, width)) == min(width, len(values))
