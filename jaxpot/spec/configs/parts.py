"""Users' own parts: a `kind = "package.module:Name"` and the table that came with it."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import attrs

from jaxpot.spec.fields import IDENTIFIER, INT32_MAX, option

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
