import struct

import pytest

from jaxpot.views.charts import PALETTE, Styles, chart, facets, png, styles_of, svg
from jaxpot.views.curves import Curve, Point
from jaxpot.views.groups import Group, Run

HOSTILE = "<b>x</b>' + alert(1) + '\"}]"


def run(uid):
    return Run(uid, "ttt", "completed", 3, 1, 0, None)


def made(key="loss", label="ttt", *, band=False, count=3):
    points = tuple(Point(i, float(i), *((i - 0.5, i + 0.5) if band else ())) for i in range(count))
    return Curve(key, Group(label, (run("a"),)), points, count, 0)


def test_styles_tell_more_runs_apart_than_there_are_colours():
    styles = Styles([f"run {i}" for i in range(2 * len(PALETTE))])
    pairs = zip(styles.colours, map(tuple, styles.dashes), strict=True)
    assert len(set(pairs)) == 2 * len(PALETTE)
    assert "strokeDash" in styles.encoding(legend=True)
    assert "strokeDash" not in Styles(["a", "b"]).encoding(legend=True)


def test_a_band_is_drawn_where_there_is_one():
    curves = [made()]
    marks = [
        layer["mark"]["type"] for layer in chart(curves, styles_of(curves), x_title="x")["layer"]
    ]
    assert marks == ["line"]
    curves = [made(band=True)]
    spec = chart(curves, styles_of(curves), x_title="x", interactive=True)
    assert [layer["mark"]["type"] for layer in spec["layer"]] == ["area", "line", "point"]


def test_long_curves_have_few_points_to_hover():
    curves = [made(count=2000)]
    rows = chart(curves, styles_of(curves), x_title="x", interactive=True)["data"]["values"]
    assert sum(1 for row in rows if row.get("hover")) < 200
    assert rows[-1]["hover"] == 1


def test_pictures_are_drawn_with_names_as_they_are():
    curves = [made("loss", HOSTILE, band=True), made("win", HOSTILE), made("win", "other")]
    spec = facets(curves, x_title="iteration")
    picture = png(spec)
    assert picture.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", picture[16:24])
    assert width > 1500
    assert height > 400
    drawing = svg(spec).decode()
    assert "<b>" not in drawing
    assert "&lt;b&gt;x&lt;/b&gt;" in drawing
    for colour in PALETTE[:2]:
        assert colour in drawing
    assert "loss" in drawing


@pytest.mark.parametrize("keys", [1, 2, 5])
def test_each_key_has_a_chart(keys):
    spec = facets([made(f"key {i}") for i in range(keys)], x_title="iteration", log_y=True)
    assert [one["title"] for one in spec["concat"]] == [f"key {i}" for i in range(keys)]
