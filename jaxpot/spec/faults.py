"""What is wrong with a spec: faults with their parts, and the one place that makes their text."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

import attrs
import tomli

from jaxpot.errors import UserError

Path = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@attrs.frozen
class Origin:
    """Where a value came from: a line of a file, or an override on the command line.

    `line` is None where the position scanner and the TOML parser disagree.
    """

    file: str | None = None
    line: int | None = None
    override: str | None = None

    def __str__(self) -> str:
        if self.override is not None:
            return f"-s {printable(shorten(self.override))}"
        if self.file is None:
            return "default"
        name = printable(self.file) or '""'
        return name if self.line is None else f"{name}:{self.line}"


@attrs.frozen
class Fault:
    """One thing that is wrong.

    Attributes:
      code: stable name of the rule that was broken; `jaxpot explain CODE` describes it.
      path: keys and array indices from the top of the spec to the value.
      message: what is wrong, in a user's words, with the value that was given.
      allowed: what would be right ("" where the message says it).
      suggestion: the nearest right spelling ("" where there is none).
      origin: where the value was written; filled in by `load`.
    """

    code: str
    path: Path
    message: str
    allowed: str = ""
    suggestion: str = ""
    origin: Origin | None = None

    def __str__(self) -> str:
        place = [] if self.origin is None else [str(self.origin)]
        if self.path:
            place.append(shorten(dotted(self.path), 200))
        rule = [self.message]
        if self.allowed:
            rule.append(f"allowed: {self.allowed}")
        if self.suggestion:
            rule.append(f"did you mean '{self.suggestion}'?")
        return f"{': '.join([*place, '; '.join(rule)])} [{self.code}]"


@attrs.frozen
class Code:
    """One rule that a spec can break; a code may be reworded, never renamed.

    `wrong` and `right` are fragments of a spec or, starting with `$`, commands. The tests load
    each fragment on top of a good spec: the wrong one breaks this rule, the right one none.
    """

    name: str
    title: str
    rule: str
    wrong: str
    right: str


class SpecError(UserError):
    """A spec was refused. `faults` has every reason; the text is one line for each."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


def dotted(path: Sequence[str | int]) -> str:
    """Write a path as a user would on the command line: `expect.0.max`, `eval."a b".every`."""
    return ".".join(
        str(part) if isinstance(part, int) or _BARE_KEY.fullmatch(part) else _basic_string(part)
        for part in path
    )


def quoted(text: str) -> str:
    """Return `text` as a TOML string on one line, shortened for a message."""
    return _basic_string(shorten(text))


def printable(text: str) -> str:
    """Return `text` on one line, its control characters as TOML escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def shorten(text: str, limit: int = 60) -> str:
    """Cut `text` to a length that fits in an error line."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def nearest(given: str, names: Iterable[str]) -> str:
    """Return the name closest to `given`, or "" when none is close."""
    found = difflib.get_close_matches(given, list(names), n=1, cutoff=0.6)
    return found[0] if found else ""


def _basic_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(escaped)}"'


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04X}" if number < 0x10000 else f"\\U{number:08X}"


@cache
def read_codes() -> dict[str, Code]:
    """Read the catalogue of fault codes."""
    from importlib import resources  # slow to import, and most runs need no codes

    text = resources.files("jaxpot.spec").joinpath("codes.toml").read_text(encoding="utf-8")
    return {
        name: Code(name, **{**code, "rule": " ".join(code["rule"].split())})
        for name, code in tomli.loads(text).items()
    }


class _Codes(Mapping[str, Code]):
    """Codes by name, in the order of the file, which is read at first use: most runs need none."""

    def __getitem__(self, name: str) -> Code:
        return read_codes()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(read_codes())

    def __len__(self) -> int:
        return len(read_codes())


CODES: Mapping[str, Code] = _Codes()


def describe_code(name: str) -> str:
    """Return the description of a fault code, for a terminal.

    Raises:
      UserError: there is no such code.
    """
    code = CODES.get(name)
    if code is None:
        near = nearest(name, CODES)
        hint = f"; did you mean '{near}'?" if near else ""
        raise UserError(f"no fault code '{name}'{hint} (`jaxpot explain` lists them all)")
    return "\n".join(
        (
            f"{code.name}: {code.title}",
            "",
            code.rule,
            "",
            "wrong:",
            _indent(code.wrong),
            "right:",
            _indent(code.right),
        )
    )


def _indent(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())
