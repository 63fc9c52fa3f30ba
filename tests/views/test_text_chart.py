import math

import attrs
import pytest

from jaxpot.views.curves import Curve, Point
from jaxpot.views.groups import Group, Run
from jaxpot.views.text_chart import Paper, draw


def made(label, function, count=60):
    group = Group(label, (Run("u", "ttt", "completed", count, 1, 0, None),))
    points = tuple(Point(float(i), function(i)) for i in range(count))
    return Curve("total_loss", group, points, count, 0)


CURVES = [
    made("ttt seed 1", lambda i: math.exp(-i / 15)),
    made("ttt seed 2", lambda i: None if 20 <= i < 30 else 0.5 + 0.3 * math.sin(i / 6)),
]


def picture(curves, paper, **options):
    return "\n".join(
        line.plain.rstrip() for line in draw(curves, paper, x_title="iteration", **options)
    )


@pytest.mark.parametrize(
    "paper",
    [Paper(80, 10), Paper(60, 8, colours=False), Paper(60, 8, ascii_only=True), Paper(30, 5)],
    ids=["colours", "marks", "ascii", "small"],
)
def test_pictures(paper, snapshot):
    drawn = picture(CURVES, paper)
    assert drawn == snapshot
    assert max(map(len, drawn.splitlines())) <= paper.width
    assert drawn.isascii() is paper.ascii_only


def test_a_logarithmic_axis(snapshot):
    assert picture(CURVES[:1], Paper(60, 8), log_y=True) == snapshot


def test_a_constant_has_one_label():
    lines = picture([made("ttt", lambda i: 0.25)], Paper(40, 7)).splitlines()
    assert lines[4].startswith(" 0.25")
    assert sum(any(c.isdigit() for c in line) for line in lines[1:8]) == 1


def test_a_single_point_is_seen():
    lines = picture([made("ttt", float, count=1)], Paper(40, 5, ascii_only=True)).splitlines()
    assert sum(line.count("*") for line in lines[1:6]) == 1


def test_a_point_between_gaps_is_seen():
    points = tuple(Point(float(i), 1.0 if i == 1 else None) for i in range(3))
    curve = attrs.evolve(CURVES[0], points=points)
    assert "*" in picture([curve], Paper(40, 5, ascii_only=True)).splitlines()[3]
