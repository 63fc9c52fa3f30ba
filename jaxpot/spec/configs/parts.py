"""Users' own parts: a `kind = "package.module:Name"` and the table that came with it."""

from typing import Any

import attrs

from jaxpot.spec.fields import IDENTIFIER, INT32_MAX, option
from jaxpot.spec.frozen import FrozenMap


@attrs.frozen(kw_only=True)
class ImportedPart:
    """A part whose class is the user's own.

    The spec, its resolved form and its digests hold what the user wrote, so that they are the same
    whether or not the class was imported.

    Attributes:
      kind: import path of the attrs class, `package.module:Name`.
      table: the rest of the part's table, as it was written.
      config: the user's class made from the table; None where it was not imported.
    """

    kind: str
    table: FrozenMap[Any] = FrozenMap()
    config: Any = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Cadence:
    """What the table of every evaluator says, whoever's class it is."""

    every: int = option(
        ge=1, le=INT32_MAX, unit="iterations", doc="Iterations between evaluations."
    )


@attrs.frozen(kw_only=True)
class ImportedEvaluator(ImportedPart):
    """An evaluator whose class is the user's own; its table has a `Cadence`."""

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
