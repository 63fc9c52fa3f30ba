"""Draw curves with Vega-Lite, as PNG, SVG or part of a page: one chart a key, one line a group.

It draws in this process, without a browser or a network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jaxpot.views.curves import Curve

_FEW_POINTS = 40
_HOVERED = 150
_LARGE = "abs(datum.value) >= 10000 ? format(datum.value, '~s') : datum.label"
# Okabe and Ito's colours, which colour-blind people can distinguish too, ordered so that neighbours
# differ in brightness; without their yellow, which is invisible on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#767676")
DASHES: tuple[list[int], ...] = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
_TEXT, _LINE, _GRID = "#333333", "#888888", "#e4e4e4"
_FONT = "Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"
CONFIG: dict[str, Any] = {
    "font": _FONT,
    "background": "white",
    "view": {"stroke": None},
    "axis": {
        "labelColor": _TEXT,
        "titleColor": _TEXT,
        "domainColor": _LINE,
        "tickColor": _LINE,
        "gridColor": _GRID,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
    },
    "legend": {
        "labelColor": _TEXT,
        "labelFontSize": 12,
        "labelLimit": 600,
        "symbolType": "stroke",
        "symbolStrokeWidth": 3,
        "symbolOpacity": 1,
        "symbolSize": 300,
    },
    "title": {"color": _TEXT, "fontSize": 13, "anchor": "start", "offset": 8},
}
_SCALE = 2.0  # pixels for each point, for high-resolution screens


def chart(
    curves: Sequence[Curve],
    styles: Styles,
    *,
    x_title: str,
    log_y: bool = False,
    interactive: bool = False,
    legend: bool = False,
) -> dict[str, Any]:
    """Return the Vega-Lite chart of one key.

    Args:
        curves: Its curves.
        styles: The colour and dashes of each group.
        x_title: Title of the x axis.
        log_y: Use a logarithmic y axis.
        interactive: For a page: show values under the pointer, and zoom with Shift and the wheel
            or a drag, so that the wheel alone still scrolls the page.
        legend: Name the runs in the picture.
    """
    y_scale: dict[str, Any] = {"type": "log"} if log_y else {"zero": False}
    x: dict[str, Any] = {"field": "x", "type": "quantitative", "title": x_title}
    x |= {
        "axis": {"labelExpr": _LARGE, "tickCount": 6},
        "scale": {"nice": False, "zero": False, "padding": 6},
    }
    y: dict[str, Any] = {"field": "y", "type": "quantitative", "title": None, "scale": y_scale}
    y["axis"] = {"labelExpr": _LARGE}
    coded = styles.encoding(legend=legend)
    few = max((len(curve.points) for curve in curves), default=0) <= _FEW_POINTS
    line: dict[str, Any] = {
        "mark": {"type": "line", "strokeWidth": 1.8, "clip": True, "point": few and {"size": 22}},
        "encoding": {"x": x, "y": y, **coded},
    }
    layers = [line]
    if any(point.low is not None for curve in curves for point in curve.points):
        layers.insert(0, _band(x, y, coded))
    if interactive:
        line["params"] = [_zoom()]
        layers.append(_hovered(x, y, coded))
    values = [row for curve in curves for row in _rows(curve)]
    return {"data": {"values": values}, "layer": layers}


def facets(
    curves: Sequence[Curve],
    *,
    x_title: str,
    log_y: bool = False,
    width: int = 420,
    height: int = 220,
) -> dict[str, Any]:
    """Return one picture of all keys, a chart for each, with one legend."""
    keys = list(dict.fromkeys(curve.key for curve in curves))
    styles = styles_of(curves)
    if len(keys) == 1:
        width, height = round(1.5 * width), round(1.5 * height)
    charts: list[dict[str, Any]] = []
    for key in keys:
        together = [curve for curve in curves if curve.key == key]
        drawn = chart(together, styles, x_title=x_title, log_y=log_y, legend=True)
        charts.append({"title": key, "width": width, "height": height, **drawn})
    shared = {"color": "shared", "strokeDash": "shared"}
    return {
        "concat": charts,
        "columns": 1 if len(keys) == 1 else 2 if len(keys) <= 4 else 3,
        "spacing": 28,
        "padding": 16,
        "resolve": {"scale": shared, "legend": shared},
        "config": CONFIG,
    }


def _band(x: Mapping[str, Any], y: Mapping[str, Any], coded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layer of areas around means."""
    return {
        "transform": [{"filter": "isValid(datum.low)"}],
        "mark": {"type": "area", "opacity": 0.2, "clip": True},
        "encoding": {
            "x": x,
            "y": {**y, "field": "low"},
            "y2": {"field": "high"},
            "color": coded["color"],
        },
    }


def _hovered(
    x: Mapping[str, Any], y: Mapping[str, Any], coded: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a layer of invisible points that show their values under the pointer."""
    fields = [
        {"field": "run", "title": "run"},
        {"field": "x", "title": x["title"], "format": ".6~g"},
        {"field": "y", "title": "value", "format": ".5~g"},
        {"field": "low", "title": "band from", "format": ".5~g"},
        {"field": "high", "title": "to", "format": ".5~g"},
    ]
    return {
        "transform": [{"filter": "datum.hover && isValid(datum.y)"}],
        "mark": {"type": "point", "size": 140, "opacity": 0, "filled": True, "clip": True},
        "encoding": {"x": x, "y": y, "color": coded["color"], "tooltip": fields},
    }


def _zoom() -> dict[str, Any]:
    select = {
        "type": "interval",
        "zoom": "wheel![event.shiftKey]",
        "translate": "[pointerdown[event.shiftKey], window:pointerup] > window:pointermove!",
    }
    return {"name": "zoom", "select": select, "bind": "scales"}


def _rows(curve: Curve) -> list[dict[str, Any]]:
    stride = max(1, len(curve.points) // _HOVERED)
    rows: list[dict[str, Any]] = []
    for index, point in enumerate(curve.points):
        row = {"x": _short(point.x), "y": _short(point.y), "run": curve.group.label}
        if point.low is not None:
            row |= {"low": _short(point.low), "high": _short(point.high)}
        if index % stride == 0 or index == len(curve.points) - 1:
            row["hover"] = 1
        rows.append(row)
    return rows


def _short(value: float | None) -> float | None:
    """Round a number to what a picture can show, so that pages stay small."""
    return None if value is None else float(f"{value:.7g}")


class Styles:
    """The colour and dashes of each label, the same in every chart of a page."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = list(dict.fromkeys(labels))
        count = len(PALETTE)
        self.colours = [PALETTE[i % count] for i in range(len(self.labels))]
        self.dashes = [DASHES[i // count % len(DASHES)] for i in range(len(self.labels))]

    def encoding(self, *, legend: bool) -> dict[str, Any]:
        """Return the encoding that distinguishes the groups."""
        shown: Any = None
        if legend:
            longest = max((len(label) for label in self.labels), default=0)
            shown = {"title": None, "orient": "bottom", "columns": 1 if longest > 24 else 3}
        colour = {"domain": self.labels, "range": self.colours}
        found: dict[str, Any] = {
            "color": {"field": "run", "type": "nominal", "scale": colour, "legend": shown}
        }
        if len(self.labels) > len(PALETTE):
            dash = {"domain": self.labels, "range": self.dashes}
            found["strokeDash"] = {**found["color"], "scale": dash}
        return found


def styles_of(curves: Sequence[Curve]) -> Styles:
    """Return the styles for the groups of some curves."""
    return Styles([curve.group.label for curve in curves])


def png(spec: dict[str, Any]) -> bytes:
    """Draw a chart as PNG."""
    import vl_convert

    return vl_convert.vegalite_to_png(spec, scale=_SCALE)


def svg(spec: dict[str, Any]) -> bytes:
    """Draw a chart as SVG."""
    import vl_convert

    return vl_convert.vegalite_to_svg(spec).encode()


@cache
def library() -> str:
    """Return the JavaScript that draws charts in a page: Vega, Vega-Lite and Vega-Embed."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
