"""Render pages from templates, which escape every value that they are given."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxpot import formatting as words

if TYPE_CHECKING:
    from jinja2 import Environment

_GENERATOR = "jaxpot"
_HEAD_BYTES = 4096


class Figure(NamedTuple):
    """A chart in a page: its title, its description for a screen reader, and a line below it."""

    identifier: str
    title: str
    description: str
    small: str
    chart: dict[str, Any]
    """What Vega-Lite draws."""


def render(template: str, figures: Sequence[Figure], **values: Any) -> str:
    """Render a page from a template that extends `base.html`.

    The page loads nothing and runs no scripts but those that are written into it here: its policy
    names their digests, and Vega evaluates expressions without making code of text.
    """
    from markupsafe import Markup

    from jaxpot import __version__
    from jaxpot.views.charts.render import library

    drawing = resources.files("jaxpot.views.report").joinpath("templates/page.js")
    scripts = [*([library()] if figures else []), drawing.read_text(encoding="utf-8")]
    # Project code, in which no string may end the element.
    inert = [code.replace("</script", "<\\/script").replace("<!--", "<\\!--") for code in scripts]
    return (
        environment()
        .get_template(template)
        .render(
            values,
            generator=f"{_GENERATOR} {__version__}",
            figures=figures,
            scripts=[Markup(code) for code in inert],  # noqa: S704
            sources=[_source(code) for code in inert],
        )
    )


@cache
def environment() -> Environment:
    """Give the environment of the templates, which escapes values and refuses names it lacks."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("jaxpot.views.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return made


def is_ours(path: Path) -> bool:
    """Say whether a file is a page that jaxpot wrote."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return f'<meta name="generator" content="{_GENERATOR} '.encode() in head


def _printable(value: Any) -> Any:
    """Give a value's text without control characters; a template's own markup as it is."""
    from markupsafe import Markup

    if value is None or isinstance(value, Markup):
        return value or ""
    return words.printable(str(value))


def _source(code: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
