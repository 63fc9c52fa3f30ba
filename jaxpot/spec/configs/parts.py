"""Users' own parts: a `kind = "package.module:Name"` and the table that came with it."""

from typing import Any

import attrs

from jaxpot.spec.fields import INT32_MAX, option
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
