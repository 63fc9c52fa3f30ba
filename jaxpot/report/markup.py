"""HTML by construction: whatever is not made here is text, and is escaped."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from typing import Any

from jaxpot import formatting as words

_VOID = frozenset({"meta", "br", "hr"})


class Html(str):
    """Text that is HTML already; only this module's functions make it."""

    __slots__ = ()


def element(name: str, /, *children: str | None, **attributes: str | None) -> Html:
    """Make an element.

    Args:
        name: Its name.
        *children: What is in it: `Html` as it is, any other text escaped, None left out.
        **attributes: Its attributes; `_` stands for `-`, one at the end is dropped; None is left
            out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(words.printable(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{joined(children)}</{name}>")


def joined(children: Iterable[str | None]) -> Html:
    """Put parts one after another; what is no `Html` is escaped."""
    return Html("".join(map(_escaped, (child for child in children if child is not None))))


def script(code: str) -> Html:
    """Make a script of this project's own code, in which nothing can end it early."""
    return Html(f"<script>{inert(code)}</script>")


def inert(code: str) -> str:
    """Give code as it stands in a script element, where no string of its own may end that."""
    return code.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def data(value: Any, *, identifier: str) -> Html:
    """Make an element that holds JSON for a script to read."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Html(f'<script type="application/json" id="{html.escape(identifier)}">{text}</script>')


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str | None]],
    *,
    caption: str,
    right: Sequence[int] = (),
) -> Html:
    """Make a table whose first column names its rows; it scrolls by itself where it is too wide."""

    def cell(column: int, text: str | None) -> Html:
        kind = "number" if column in right else None
        if column == 0:
            return element("th", text, scope="row", class_=kind)
        return element("td", text, class_=kind)

    head = [
        element("th", header, scope="col", class_="number" if column in right else None)
        for column, header in enumerate(headers)
    ]
    body = [element("tr", *(cell(column, text) for column, text in enumerate(row))) for row in rows]
    whole = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *head)),
        element("tbody", *body),
    )
    # A region that scrolls must be reachable by keyboard.
    return element("div", whole, class_="wide", tabindex="0", role="region", aria_label=caption)


def named(pairs: Iterable[tuple[str, str | None]]) -> Html:
    """Make a list of names and their values; those without one are left out."""
    parts = [
        part
        for name, value in pairs
        if value
        for part in (element("dt", name), element("dd", value))
    ]
    return element("dl", *parts)


def _escaped(child: str) -> str:
    return child if isinstance(child, Html) else html.escape(words.printable(child))
