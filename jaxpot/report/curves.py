"""Learning curves in a page: one chart a key, and one legend for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxpot import formatting as words
from jaxpot.charts import Curve, chart
from jaxpot.charts.styles import CONFIG, Styles, styles_of
from jaxpot.report.markup import Html, element
from jaxpot.report.page import chart_place, document

_HEIGHT = 210
# Colours that the page's own styles decide, since they differ by night.
_PAGE_CONFIG = {**CONFIG, "background": "transparent"}


def curves_page(curves: Sequence[Curve], *, x_title: str, log_y: bool = False) -> str:
    """Give a page of nothing but curves."""
    from jaxpot import __version__

    keys = list(dict.fromkeys(curve.key for curve in curves))
    title = ", ".join(dict.fromkeys(run.name for curve in curves for run in curve.group.runs))
    parts, charts = curves_section(curves, x_title=x_title, log_y=log_y)
    heading = [element("h1", title), element("p", ", ".join(keys), class_="lead")]
    return document(title, [*heading, *parts], charts, version=__version__)


def curves_section(
    curves: Sequence[Curve], *, x_title: str, log_y: bool = False
) -> tuple[list[Html], dict[str, dict[str, Any]]]:
    """Give the legend and the charts' places, and the charts by their identifiers."""
    styles = styles_of(curves)
    places: list[Html] = []
    charts: dict[str, dict[str, Any]] = {}
    for number, key in enumerate(dict.fromkeys(curve.key for curve in curves)):
        together = [curve for curve in curves if curve.key == key]
        identifier = f"curve-{number}"
        told = f"{key} by {x_title}. {_ends(together)}"
        charts[identifier] = in_page(
            chart(together, styles, x_title=x_title, log_y=log_y, interactive=True),
            height=_HEIGHT,
            told=told,
        )
        places.append(chart_place(identifier, title=key, told=told, small=_gaps(together)))
    hint = element(
        "p",
        "Point at a curve to read it. Shift with the wheel or a drag zooms, a double click resets.",
        class_="small",
    )
    return [_legend(styles), element("div", *places, class_="charts"), hint], charts


def in_page(spec: dict[str, Any], *, height: int | dict[str, int], told: str) -> dict[str, Any]:
    """Give a chart as wide as the page has room for, with its description in words."""
    fitted = {"type": "fit-x", "contains": "padding"}
    return {
        **spec,
        "description": told,
        "width": "container",
        "height": height,
        "autosize": fitted,
        "config": _PAGE_CONFIG,
    }


def _legend(styles: Styles) -> Html:
    rows = []
    for label, colour, dash in zip(styles.labels, styles.colours, styles.dashes, strict=True):
        line = element(
            "line",
            x1="0",
            y1="6",
            x2="30",
            y2="6",
            stroke=colour,
            stroke_width="4",
            stroke_dasharray=" ".join(str(2 * length) for length in dash) if dash[1] else None,
        )
        swatch = element("svg", line, viewBox="0 0 30 12", aria_hidden="true")
        rows.append(element("li", swatch, label))
    return element("ul", *rows, class_="legend", aria_label="Runs and their colours")


def _ends(curves: Sequence[Curve]) -> str:
    """Say where curves end, for those who do not see them."""
    told = []
    for curve in curves:
        values = [point.y for point in curve.points if point.y is not None]
        if values:
            told.append(f"{curve.group.label} ends at {words.number(values[-1])}")
    return "; ".join(told)


def _gaps(curves: Sequence[Curve]) -> str:
    told = [
        f"{curve.group.label}: {curve.gaps} of {curve.total} points cannot be drawn"
        for curve in curves
        if curve.gaps
    ]
    told += [
        f"{curve.group.label}: {curve.partial} iterations that not every seed has are left out"
        for curve in curves
        if curve.partial > 0
    ]
    return "; ".join(told)
