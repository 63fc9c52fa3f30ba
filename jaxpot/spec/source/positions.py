"""Finds the line of every key, table and array element of a TOML text.

tomli is the only source of values, and gives no positions; this scanner gives positions and no
values. It is lenient where tomli is strict, because it only ever explains a text: where the two
disagree, an error prints without a line. It is iterative, and linear in the text.
"""

import contextlib
import re
from bisect import bisect_right
from collections.abc import Mapping
from types import MappingProxyType

import attrs
import tomli

from jaxpot.spec.faults import Path

MAX_DEPTH = 32
"""Longest path of a spec; the scanner stops at a longer one."""

_SPACE = re.compile(r"[ \t]*+")
_BLANK = re.compile(r"(?:[ \t\n]++|#[^\n]*+)*+")
_BARE = re.compile(r"[A-Za-z0-9_-]++")
_BASIC = re.compile(r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"')
_LITERAL = re.compile(r"'[^'\n]*+'")
_SCALAR = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}'  # up to two quotes may end the string's own text
    r"|'''(?:[^']++|'(?!''))*+'{3,5}"
    rf"|(?!\"\"\"|'''){_BASIC.pattern}|(?!'''){_LITERAL.pattern}"
    r"|[^\"'\[\]{},#\s][^,\]}#\n]*+",
    re.DOTALL,
)


@attrs.frozen
class Twice:
    """A key or table that is given a second time, which TOML forbids."""

    path: Path
    line: int
    first: int


@attrs.frozen
class Positions:
    """Lines, counted from 1, of the paths of a text, and its first repeated key, if any."""

    lines: Mapping[Path, int]
    twice: Twice | None = None


def scan(text: str) -> Positions:
    """Return the positions in a TOML text whose line ends are newlines alone.

    On text that is not TOML, what was found before the place where it goes wrong.
    """
    scanner = _Scanner(text)
    with contextlib.suppress(_LostError):  # tomli says what is wrong there, and where
        scanner.document()
    return Positions(MappingProxyType(scanner.lines), scanner.twice)


def scan_key(text: str) -> tuple[tuple[str, ...], str] | None:
    """Split `dotted.key = rest` into the parts of the key and the rest; None if it is not so."""
    scanner = _Scanner(text)
    try:
        parts = scanner.key()
        scanner.expect("=")
    except _LostError:
        return None
    return tuple(parts), text[scanner.at :].strip()


class _LostError(Exception):
    """The text is not TOML from here on."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.newlines = [match.start() for match in re.finditer("\n", text)]
        self.lines: dict[Path, int] = {}
        self.twice: Twice | None = None
        self.headers: set[Path] = set()  # tables that a header opened: never to be opened again
        self.dotted: set[Path] = set()  # tables that a dotted key opened: closed to headers
        self.values: set[Path] = set()  # what follows an equals sign: closed to later keys
        self.last: dict[Path, int] = {}  # arrays of tables: index of the newest table

    def document(self) -> None:
        table: Path = ()
        while self.skip(_BLANK):
            if self.take("[["):
                table = self.header(repeated=True)
            elif self.take("["):
                table = self.header(repeated=False)
            else:
                self.value(self.assigned(table))

    def header(self, *, repeated: bool) -> Path:
        line = self.line()
        *parents, name = self.key()
        self.expect("]]" if repeated else "]")
        path = (*self.descend((), parents, line), name)
        self.check_depth(path)
        if repeated:
            if path in self.lines and path not in self.last:
                self.again(path, line)
            self.lines.setdefault(path, line)
            self.headers.add(path)
            self.last[path] = self.last.get(path, -1) + 1
            path = self.inside(path)
        elif path in self.headers or path in self.dotted or path in self.values:
            self.again(path, line)
        else:
            self.headers.add(path)
        self.lines[path] = line  # better than the line of a `[path.below]` before it
        return path

    def assigned(self, table: Path) -> Path:
        """Read `key =` and returns the whole path of the value that follows."""
        line = self.line()
        *parents, name = self.key()
        self.expect("=")
        self.skip(_SPACE)
        path = (*self.descend(table, parents, line), name)
        self.check_depth(path)
        for end in range(len(table) + 1, len(path)):
            self.dotted.add(path[:end])
            if path[:end] in self.headers:
                self.again(path[:end], line)
        if path in self.lines:
            self.again(path, line)
        self.lines.setdefault(path, line)
        self.values.add(path)
        return path

    def value(self, path: Path) -> None:
        """Read a value and records what is inside it."""
        open_: list[tuple[str, Path]] = []  # closing bracket and path of what is around
        counts: list[int] = []  # elements read so far, of each of them
        while True:
            if self.take("["):
                open_.append(("]", path))
                counts.append(0)
            elif self.take("{"):
                open_.append(("}", path))
                counts.append(0)
            else:
                self.match(_SCALAR)
            while open_:
                closing, around = open_[-1]
                self.skip(_BLANK)
                if counts[-1] and self.take(","):
                    self.skip(_BLANK)
                if not self.take(closing):
                    break
                open_.pop()
                counts.pop()
            else:
                return
            if closing == "]":
                path = (*around, counts[-1])
                self.check_depth(path)
                self.lines[path] = self.line()
            else:
                path = self.assigned(around)
            counts[-1] += 1

    def key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self.skip(_SPACE)
            parts.append(self.key_part())
            self.check_depth(parts)
            self.skip(_SPACE)
            if not self.take("."):
                return parts

    def key_part(self) -> str:
        first = self.text[self.at : self.at + 1]
        if first == '"':
            token = self.match(_BASIC)
            try:
                return tomli.loads(f"key = {token}")["key"]
            except tomli.TOMLDecodeError:
                raise _LostError from None
        if first == "'":
            return self.match(_LITERAL)[1:-1]
        return self.match(_BARE)

    def descend(self, path: Path, parts: list[str], line: int) -> Path:
        """Return the path of `parts` below `path`, recording the tables on the way."""
        for part in parts:
            path = (*self.inside(path), part)
            self.check_depth(path)
            self.lines.setdefault(path, line)
            if path in self.values:
                self.again(path, line)
        return self.inside(path)

    def inside(self, path: Path) -> Path:
        """Return the newest table of an array of tables; any other path as it is."""
        return (*path, self.last[path]) if path in self.last else path

    def again(self, path: Path, line: int) -> None:
        if self.twice is None:
            self.twice = Twice(path, line, self.lines[path])

    def check_depth(self, path: Path | list[str]) -> None:
        if len(path) > MAX_DEPTH:
            raise _LostError

    def line(self) -> int:
        return bisect_right(self.newlines, self.at - 1) + 1

    def skip(self, pattern: re.Pattern[str]) -> bool:
        """Skip what `pattern` matches; False at the end of the text."""
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at < len(self.text)

    def match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None or not match[0]:
            raise _LostError
        self.at = match.end()
        return match[0]

    def take(self, token: str) -> bool:
        found = self.text.startswith(token, self.at)
        self.at += len(token) if found else 0
        return found

    def expect(self, token: str) -> None:
        if not self.take(token):
            raise _LostError
