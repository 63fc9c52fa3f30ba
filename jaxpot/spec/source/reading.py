"""Reads one TOML file of a spec: its values from tomli, its line numbers from the scanner."""

import codecs
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import tomli

from jaxpot.spec.faults import Fault, Origin, Path, SpecError, nearest, quoted, shorten
from jaxpot.spec.source.positions import MAX_DEPTH, scan

MAX_BYTES = 1_000_000
"""Largest file that is read as a spec."""

_INT64 = range(-(2**63), 2**63)


@attrs.frozen
class Source:
    """One file's values and the lines they stand on."""

    name: str
    data: dict[str, Any]
    lines: Mapping[Path, int]

    def origin(self, path: Path) -> Origin:
        """Return where in this file `path` is written."""
        return Origin(self.name, self.lines.get(path))


def read_source(name: str) -> Source:
    """Read the TOML file `name`.

    Raises:
      SpecError: the file cannot be read, or it is not TOML as a spec may use it.
    """
    text = _decode(name, _read(name))
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise SpecError([_syntax_fault(name, error)]) from None
    except RecursionError:
        raise SpecError([_nesting_fault((), Origin(name))]) from None
    except ValueError:  # Python's int() refuses a decimal number of thousands of digits
        fault = _number_fault((), Origin(name), "it has thousands of digits")
        raise SpecError([fault]) from None
    source = Source(name, data, scan(text.replace("\r\n", "\n")).lines)
    faults = [*check_values(data, source.origin)]
    if faults:
        raise SpecError(faults)
    return source


def walk(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Yield every path below `path`, with its value, however deep; parents before children."""
    stack = [(path, value)]
    while stack:
        at, node = stack.pop()
        if at != path:
            yield at, node
        if len(at) > MAX_DEPTH:
            continue
        if isinstance(node, dict):
            stack.extend(((*at, key), child) for key, child in reversed(node.items()))
        elif isinstance(node, list):
            stack.extend(((*at, i), node[i]) for i in reversed(range(len(node))))


def check_values(data: object, origin: Callable[[Path], Origin]) -> Iterator[Fault]:
    """Yield a fault for every value that no spec can have: too deep a nest, too large an integer.

    What passes may be walked by recursion and printed as decimal text.
    """
    for path, value in walk(data):
        if len(path) > MAX_DEPTH:
            yield _nesting_fault(path[:1], origin(path[:1]))
            return
        if isinstance(value, int) and value not in _INT64:
            yield _number_fault(path, origin(path), "a TOML integer has 64 bits")


def not_a_value(given: str) -> tuple[str, str]:
    """Return what to say of a text that stands where a value should, and what it may mean."""
    if not given:
        return "no value is given", ""
    if given.lower() in ("true", "false"):
        return f"{quoted(given)} is not a TOML value", given.lower()
    hint = "; a string has quotes" if given[0].isalpha() else ""
    return f"{quoted(given)} is not a TOML value{hint}", ""


def _read(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        fault = Fault("file-missing", (), "no such file", suggestion=_sibling(name))
    except IsADirectoryError:
        fault = Fault("file-is-directory", (), "is a directory, not a spec file")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        fault = Fault("file-unreadable", (), f"cannot be read: {reason.lower()}")
    except ValueError:  # a name that no file can have, with a null character in it
        fault = Fault("file-missing", (), "no such file")
    else:
        if len(content) <= MAX_BYTES:
            return content
        allowed = f"at most {MAX_BYTES:,} bytes"
        fault = Fault("file-too-large", (), "too large for a spec", allowed=allowed)
    raise SpecError([attrs.evolve(fault, origin=Origin(name))])


def _decode(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")  # some editors write a byte-order mark; TOML allows it
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8: byte 0x{content[error.start]:02X}"
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            message = "not UTF-8: it starts as UTF-16 does; save it as UTF-8"
        raise SpecError([Fault("file-not-utf8", (), message, origin=Origin(name, line))]) from None


def _syntax_fault(name: str, error: tomli.TOMLDecodeError) -> Fault:
    text = error.doc  # whose line ends are newlines
    twice = scan(text).twice
    if twice is not None and twice.line <= error.lineno:
        message = f"given twice; first on line {twice.first}"
        return Fault("toml-duplicate-key", twice.path, message, origin=Origin(name, twice.line))
    reason, suggestion = shorten(f"{error.msg[:1].lower()}{error.msg[1:]}"), ""
    if error.msg == "Invalid value":
        reason, suggestion = not_a_value(re.split(r"[\n#,]", text[error.pos :][:1000])[0].strip())
    message = f"not TOML at column {error.colno}: {reason}"
    origin = Origin(name, error.lineno)
    return Fault("toml-syntax", (), message, suggestion=suggestion, origin=origin)


def _nesting_fault(path: Path, origin: Origin) -> Fault:
    message = "nested too deeply for a spec"
    allowed = f"at most {MAX_DEPTH} levels"
    return Fault("toml-nesting", path, message, allowed=allowed, origin=origin)


def _number_fault(path: Path, origin: Origin, reason: str) -> Fault:
    message = f"the integer is too large ({reason})"
    return Fault("toml-integer", path, message, allowed="-2^63..2^63-1", origin=origin)


def _sibling(name: str) -> str:
    """Return an existing file that `name` may have meant, or ""."""
    if os.path.isfile(f"{name}.toml"):
        return f"{name}.toml"
    folder, base = os.path.split(name)
    try:
        files = [file for file in os.listdir(folder or ".") if file.endswith(".toml")]
    except OSError:
        return ""
    found = nearest(base, sorted(files))
    return os.path.join(folder, found) if found else ""
