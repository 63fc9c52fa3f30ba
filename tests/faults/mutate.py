"""Random damage to texts and to plain data, by hypothesis."""

import copy
from typing import Any

from hypothesis import strategies as st

NASTY = (
    *("", " ", "\0", "\n", "\t", "../../outside", "/etc/passwd", "a/b", "..", ".", "~", "$(id)"),
    *("canary:Canary", "os:system", "builtins:eval", "x:y:z", ":", "\ud800", "é" * 300, "[red]"),
    *("NaN", "Infinity", "none", "latest", "'; DROP TABLE runs; --", "\x1b[2J", "%s%n", "{0}"),
)
NUMBERS = (0, -1, 1, 2**31, 2**53 + 1, 2**63, -(2**70), 10**400, 1e308, 1e-320, 0.5, -0.0)
TOKENS = (
    *(b"[", b"]", b"[[", b"]]", b"{", b"}", b"=", b'"', b"'''", b'"""', b"#", b"\\", b"\n", b"\0"),
    *(b"nan", b"-inf", b"1e999", b"0x_", b"1979-05-27", b"true", b"kind = ", b"extends = '/'"),
    *(b"\xff\xfe", b"\xed\xa0\x80", b"[" * 500, b"a." * 500, b"9" * 5000, b"extends = 'self.toml'"),
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70),
    st.sampled_from(NUMBERS),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(NASTY),
    st.text(max_size=6),
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@st.composite
def damaged_bytes(draw: st.DrawFn, texts: tuple[bytes, ...]) -> bytes:
    """Draws one of some texts, with a few places cut, doubled, overwritten or flipped."""
    data = bytearray(draw(st.sampled_from(texts)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from((0, 1, 2, 8, 40, 400)))
        match draw(st.sampled_from(("cut", "double", "put", "flip"))):
            case "cut":
                del data[start : start + length]
            case "double":
                data[start:start] = data[start : start + length]
            case "put":
                data[start : start + length] = draw(st.sampled_from(TOKENS))
            case _:
                for index in range(start, min(start + 1, len(data))):
                    data[index] ^= 1 << draw(st.integers(0, 7))
    return bytes(data)


@st.composite
def damaged_tree(draw: st.DrawFn, values: tuple[Any, ...]) -> Any:
    """Draws one of some values, with a few parts of it replaced, taken away or added."""
    value = copy.deepcopy(draw(st.sampled_from(values)))
    for _ in range(draw(st.integers(1, 3))):
        spots = list(_spots(value))
        if not spots:
            return draw(trees)
        node, key = draw(st.sampled_from(spots))
        what = draw(st.sampled_from(("replace", "replace", "remove", "add", "swap")))
        if what == "remove":
            del node[key]
        elif what == "add" and isinstance(node, dict):
            node[draw(st.text(max_size=5) | st.sampled_from(NASTY))] = draw(trees)
        elif what == "swap":
            other, place = draw(st.sampled_from(spots))
            node[key] = copy.deepcopy(other[place])
        else:
            node[key] = draw(trees)
    return value


def _spots(value: Any) -> Any:
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, child in list(items):
        yield value, key
        yield from _spots(child)
