"""Read the files that a spec extends, and the overrides of the command line."""

import os
import shlex

import attrs
import tomli

from jaxpot.paths import expanded
from jaxpot.spec.faults import Fault, Origin, Path, SpecError, dotted, quoted
from jaxpot.spec.source.positions import scan_key
from jaxpot.spec.source.reading import Source, check_values, not_a_value, read_source
from jaxpot.spec.wording import NONE, type_of

MAX_EXTENDS = 16
"""Longest chain of files that extend one another."""


def gather(name: str) -> tuple[list[Source], tuple[str, ...], list[Fault]]:
    """Read the spec file `name` and every file that it extends, each once.

    Returns:
      What was read, a file after those that it extends; the names of all the files, `name` first;
      and what is wrong with any of them.
    """
    gathering = _Gathering()
    gathering.visit(name, (), None)
    return gathering.sources, tuple(gathering.names), gathering.faults


class _Gathering:
    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.names: list[str] = []
        self.sources: list[Source] = []
        self.seen: set[str] = set()

    def visit(self, name: str, chain: tuple[str, ...], asked: Origin | None) -> None:
        """Read `name`; `chain` is the files that led here, `asked` the line that names it."""
        identity = _identity(name)
        if identity in map(_identity, chain):
            cycle = " extends ".join((*chain, name))
            self.faults.append(Fault("extends-cycle", ("extends",), cycle, origin=asked))
            return
        if identity in self.seen:
            return
        if len(chain) >= MAX_EXTENDS:
            message = "too long a chain of files that extend one another"
            allowed = f"at most {MAX_EXTENDS} files"
            fault = Fault("extends-too-long", ("extends",), message, allowed=allowed, origin=asked)
            self.faults.append(fault)
            return
        self.seen.add(identity)
        self.names.append(name)
        try:
            source = read_source(name)
        except SpecError as error:
            self.faults.extend(_asked_for(fault, asked) for fault in error.faults)
            return
        for base, origin in self.bases(source):
            self.visit(base, (*chain, name), origin)
        self.sources.append(source)

    def bases(self, source: Source) -> list[tuple[str, Origin]]:
        """Take `extends` out of a file's values; returns the files it names and where it does."""
        given = source.data.pop("extends", [])
        names = given if isinstance(given, list) else [given]
        found: list[tuple[str, Origin]] = []
        for index, name in enumerate(names):
            path = ("extends", index) if isinstance(given, list) else ("extends",)
            if isinstance(name, str) and name:
                beside = os.path.dirname(source.name)
                file = os.path.normpath(os.path.join(beside, os.fspath(expanded(name))))
                found.append((file, source.origin(path)))
            else:
                message = 'it is ""' if name == "" else f"it is {type_of(name)}"
                allowed = "a file name, or a list of file names"
                self.faults.append(
                    Fault("extends-value", path, message, allowed, origin=source.origin(path))
                )
        return found


def _identity(name: str) -> str:
    try:
        return os.path.realpath(name)
    except (OSError, ValueError):
        return name


def _asked_for(fault: Fault, asked: Origin | None) -> Fault:
    """Put a file that cannot be read at the line that asks for it."""
    if asked is None or not fault.code.startswith("file-"):
        return fault
    near = fault.suggestion and os.path.relpath(
        fault.suggestion, os.path.dirname(asked.file or "") or "."
    )
    message = f"{fault.origin}: {fault.message}"
    return attrs.evolve(fault, path=("extends",), message=message, suggestion=near, origin=asked)


@attrs.frozen
class Override:
    """One `-s path=value`; digits in the path may index an array."""

    text: str
    path: tuple[str, ...]
    value: object

    @property
    def origin(self) -> Origin:
        """What a fault in this value names as its place."""
        return Origin(override=self.text)


def read_override(text: str) -> Override:
    """Read the text after `-s`.

    Raises:
      SpecError: it is not `path=value` with a TOML value.
    """
    split = scan_key(text)
    if split is None:
        raise _refused(
            "override-syntax", text, (), "not an override", "path=value", suggestion=_hydras(text)
        )
    path, value_text = split
    if path[0] == "extends":
        raise _refused("override-extends", text, path, "only a file can extend another")
    try:
        data = tomli.loads(f"value = {value_text}")
    except (ValueError, RecursionError):
        data = {}
    if data.keys() != {"value"}:
        raise _not_a_value(text, path, value_text)
    override = Override(text, path, data["value"])
    faults = [
        attrs.evolve(fault, path=(*path, *fault.path[1:]))
        for fault in check_values(data, lambda _: override.origin)
    ]
    if faults:
        raise SpecError(faults)
    return override


def _hydras(text: str) -> str:
    """Return an override as it is written here, where it is written as Hydra takes it; else ""."""
    bare = text.lstrip("+~!")
    removes = text[:1] in ("~", "!")
    spelled = f'{bare.partition("=")[0]}="{NONE}"' if removes else bare
    return spelled if bare != text and scan_key(spelled) else ""


def _not_a_value(text: str, path: tuple[str, ...], value_text: str) -> SpecError:
    message, suggestion = not_a_value(value_text)
    if value_text[:1].isalpha() and not suggestion:
        spelled = f"{dotted(path)}={quoted(value_text)}"
        message = f"{message}: -s {shlex.quote(spelled)}"
    return _refused("override-value", text, path, message, suggestion=suggestion)


def _refused(
    code: str, text: str, path: Path, message: str, allowed: str = "", suggestion: str = ""
) -> SpecError:
    origin = Origin(override=text)
    return SpecError([Fault(code, path, message, allowed, suggestion, origin)])
