"""The file around a report: its styles, its script, and what it may not do."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jaxpot.report.markup import Html, data, element, inert, joined, script

GENERATOR = "jaxpot"
_HEAD_BYTES = 4096


def document(
    title: str, body: Sequence[Html], charts: Mapping[str, Mapping[str, Any]], *, version: str
) -> str:
    """Give a whole page.

    The page may load nothing and run nothing but the scripts that are written into it here: its
    policy names their digests, and charts are evaluated without making code of text.

    Args:
        title: The page's title.
        body: Its parts; the elements that `chart_place` makes are where charts are drawn.
        charts: Vega-Lite charts by their identifiers.
        version: That of jaxpot.
    """
    from jaxpot.charts.render import library

    scripts = [library(), _part("page.js")] if charts else [_part("page.js")]
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_source, scripts))}",
            "style-src 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="generator", content=f"{GENERATOR} {version}"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Html(_part("page.css"))),
    )
    whole = element(
        "body",
        element("main", *body),
        *(data(spec, identifier=identifier) for identifier, spec in charts.items()),
        *map(script, scripts),
    )
    return joined([Html("<!DOCTYPE html>\n"), element("html", head, whole, lang="en")]) + "\n"


def chart_place(identifier: str, *, title: str, told: str, small: str = "") -> Html:
    """Make the place of a chart.

    Args:
        identifier: The chart's, as `document` is given it.
        title: What stands above it.
        told: The chart in words, for those who do not see it.
        small: What stands below it.
    """
    return element(
        "figure",
        element("figcaption", title),
        element("div", class_="chart", data_chart=identifier, role="img", aria_label=told),
        element("p", small, class_="small") if small else None,
    )


def is_ours(path: Path) -> bool:
    """Say whether a file is a page that jaxpot wrote."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return f'<meta name="generator" content="{GENERATOR} '.encode() in head


def _source(code: str) -> str:
    digest = hashlib.sha256(inert(code).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _part(name: str) -> str:
    return resources.files("jaxpot.report").joinpath(name).read_text(encoding="utf-8")
