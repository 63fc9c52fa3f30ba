"""Imports users' own classes, and freezes the tables that come with them."""

import importlib
import math
import re
from collections.abc import Mapping
from typing import Any

import attrs

from jaxpot.spec.configs.parts import FrozenMap, freeze
from jaxpot.spec.faults import Fault, Path
from jaxpot.spec.wording import given, shown

MAX_DEPTH = 32

IMPORT_PATH = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*"

_FORM = '"package.module:Name"'


def import_class(kind: str) -> type[Any] | Fault:
    """Import the attrs class that `package.module:Name` names, or says why it cannot be used."""
    module_name, _, name = kind.partition(":")
    try:
        module = importlib.import_module(module_name)
    # The module is somebody else's: importing it may raise anything, or exit.
    except (Exception, SystemExit) as error:
        text = f"{module_name} does not import: {type(error).__name__}: {error}"
        return Fault("import-failed", ("kind",), text, "a module on Python's path")
    cls = getattr(module, name, None)
    if cls is None:
        return Fault("import-failed", ("kind",), f"{module_name} has no {name}")
    if not (isinstance(cls, type) and attrs.has(cls)):
        return Fault("import-class", ("kind",), f"{kind} is not an attrs class")
    if not callable(getattr(cls, "build", None)):
        return Fault("import-class", ("kind",), f"{kind} has no method build(...)")
    return cls


def check_import_path(kind: str) -> Fault | None:
    """Return a fault where `kind` is not of the form of an import path."""
    if re.fullmatch(IMPORT_PATH, kind):
        return None
    return Fault("bad-import-path", ("kind",), f"{shown(kind)} is not an import path", _FORM)


def load_table(table: Mapping[str, Any]) -> tuple[FrozenMap[Any], list[Fault]]:
    """Freeze the table of a user's own part, which may hold anything that JSON can."""
    faults: list[Fault] = []
    pending: list[tuple[Path, Any]] = [((), table)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, Mapping):
            pending += [((*path, key), item) for key, item in value.items()]
        elif isinstance(value, list | tuple):
            pending += [((*path, index), item) for index, item in enumerate(value)]
        elif isinstance(value, float) and not math.isfinite(value):
            faults.append(Fault("not-finite", path, f"{shown(value)} is not a finite number"))
        elif not isinstance(value, str | int | float):
            faults.append(Fault("wrong-type", path, given(value), "a string for a date or a time"))
        if len(path) > MAX_DEPTH:
            return FrozenMap(), [Fault("toml-nesting", path[:1], "nested too deeply")]
    return (FrozenMap() if faults else freeze(table)), faults
