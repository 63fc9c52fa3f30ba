"""Users' own parts: a `kind = "package.module:Name"`, its table, and the import of its class."""

import importlib
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import attrs

from jaxpot.spec.faults import Fault, Path
from jaxpot.spec.fields import IDENTIFIER, INT32_MAX, option
from jaxpot.spec.wording import given, shown

Value = TypeVar("Value")


class FrozenMap(Mapping[str, Value]):
    """A mapping that keeps its order, never changes, and hashes like what it equals."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Value] = {}) -> None:
        self._items: dict[str, Value] = dict(items)

    def __getitem__(self, key: str) -> Value:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def freeze(value: Any) -> Any:
    """Return plain TOML data with tables as `FrozenMap` and arrays as tuples, at every depth."""
    if isinstance(value, Mapping):
        return FrozenMap({key: freeze(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    return value


def thaw(value: Any) -> Any:
    """Return what `freeze` was given: dicts and lists again."""
    if isinstance(value, Mapping):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [thaw(item) for item in value]
    return value


@attrs.frozen(kw_only=True)
class ImportedPart:
    """A part whose class is the user's own.

    The spec, its resolved form and its digests hold what the user wrote, so that they are the same
    whether or not the class was imported.

    Attributes:
      kind: import path of the attrs class, `package.module:Name`.
      table: the rest of the part's table, unchanged.
      config: the user's class made from the table; None where it was not imported.
    """

    kind: str
    table: FrozenMap[Any] = FrozenMap()
    config: Any = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class EvaluatorTable:
    """The keys that the table of every evaluator has."""

    every: int = option(
        ge=1, le=INT32_MAX, unit="iterations", doc="Iterations between evaluations."
    )


@attrs.frozen(kw_only=True)
class ImportedEvaluator(ImportedPart):
    """An evaluator whose class is the user's own; its table has the keys of `EvaluatorTable`."""

    @property
    def every(self) -> int:
        """Iterations from one evaluation to the next."""
        return self.table["every"]


@attrs.frozen(kw_only=True)
class Place:
    """The place of a phase in an iteration: directly after or before another phase."""

    after: str | None = option(default=None, name=IDENTIFIER, doc="The phase that it follows.")
    before: str | None = option(default=None, name=IDENTIFIER, doc="The phase that it precedes.")


@attrs.frozen(kw_only=True)
class ImportedPhase(ImportedPart):
    """A phase of the user's own; its table has a `Place`, and the rest is the class's."""

    @property
    def place(self) -> dict[str, str]:
        """`after` or `before`, with the name of the other phase."""
        return {key: name for key, name in self.table.items() if key in PLACES}


PLACES = ("after", "before")


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
