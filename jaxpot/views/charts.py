"""Draw curves with Vega-Lite, as PNG, SVG or part of a page: one chart a key, one line a group.

It draws in this process, without a browser or a network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jaxpot.views.curves import Curve, Point

_FEW_POINTS = 40
_HOVERED = 150
_LARGE = "abs(datum.value) >= 10000 ? format(datum.value, '~s') : datum.label"


def chart(
    curves: Sequence[Curve],
    styles: Styles,
    *,
    x_title: str,
    log_y: bool = False,
    interactive: bool = False,
    legend: bool = False,
) -> dict[str, Any]:
    """Give the chart of one key.

    Args:
        curves: Its curves.
        styles: How each group looks.
        x_title: What is to the right.
        log_y: A logarithmic axis.
        interactive: For a page: what is under the pointer is told; Shift with the wheel or a drag
            zooms, so that the wheel alone still scrolls the page.
        legend: Whether the picture names its runs.
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
    """Give one picture of all keys, each with a chart of its own, and one legend."""
    keys = list(dict.fromkeys(curve.key for curve in curves))
    styles = styles_of(curves)
    if len(keys) == 1:
        width, height = round(1.5 * width), round(1.5 * height)
    charts = [
        {
            "title": key,
            "width": width,
            "height": height,
            **chart(
                [curve for curve in curves if curve.key == key],
                styles,
                x_title=x_title,
                log_y=log_y,
                legend=True,
            ),
        }
        for key in keys
    ]
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
    """Give the areas around means."""
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
    """Give points that are not seen but found by a pointer."""
    told = [
        {"field": "run", "title": "run"},
        {"field": "x", "title": x["title"], "format": ".6~g"},
        {"field": "y", "title": "value", "format": ".5~g"},
        {"field": "low", "title": "band from", "format": ".5~g"},
        {"field": "high", "title": "to", "format": ".5~g"},
    ]
    return {
        "transform": [{"filter": "datum.told && isValid(datum.y)"}],
        "mark": {"type": "point", "size": 140, "opacity": 0, "filled": True, "clip": True},
        "encoding": {"x": x, "y": y, "color": coded["color"], "tooltip": told},
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
    return [
        _row(point, curve.group.label, told=index % stride == 0 or index == len(curve.points) - 1)
        for index, point in enumerate(curve.points)
    ]


def _row(point: Point, label: str, *, told: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"x": _short(point.x), "y": _short(point.y), "run": label}
    if point.low is not None:
        row |= {"low": _short(point.low), "high": _short(point.high)}
    if told:
        row["told"] = 1
    return row


def _short(value: float | None) -> float | None:
    """Give a number with as many digits as a picture can show: pages stay small."""
    return None if value is None else float(f"{value:.7g}")


# Okabe and Ito's colours, told apart by colour-blind people too, in an order in which neighbours
# differ in brightness; their yellow is left out, which white paper swallows.
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


class Styles:
    """The colour and the dashes of each label: the same in every chart of a page."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = list(dict.fromkeys(labels))
        count = len(PALETTE)
        self.colours = [PALETTE[i % count] for i in range(len(self.labels))]
        self.dashes = [DASHES[i // count % len(DASHES)] for i in range(len(self.labels))]

    def encoding(self, *, legend: bool) -> dict[str, Any]:
        """Give the encoding of the channel that tells the groups apart."""
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
            found["strokeDash"] = {
                "field": "run",
                "type": "nominal",
                "scale": dash,
                "legend": shown,
            }
        return found


def styles_of(curves: Sequence[Curve]) -> Styles:
    """Give the styles of the groups that curves are of."""
    return Styles([curve.group.label for curve in curves])


_SCALE = 2.0  # two pixels a point, for screens that show so many


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
    """Give the JavaScript that draws charts in a page: Vega, Vega-Lite and Vega-Embed."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
