"""How charts look: colours, dashes, type, the same in every picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxpot.views.charts.data import Curve

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
