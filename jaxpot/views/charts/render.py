"""Pictures of Vega-Lite charts, drawn by this process: no browser and no network."""

from __future__ import annotations

from functools import cache
from typing import Any

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
