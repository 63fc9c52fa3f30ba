"""Where every value of a composed spec came from, and what it overrode."""

from collections.abc import Mapping
from typing import Final

import attrs

from jaxpot.spec.faults import Origin, Path
from jaxpot.spec.wording import NONE


class _Dropped:
    """Stands for a value that was taken away, because the table around it was replaced."""

    def __repr__(self) -> str:
        return "DROPPED"


DROPPED: Final = _Dropped()


@attrs.frozen
class Written:
    """What one place said about a path: a value, or `DROPPED`."""

    value: object
    origin: Origin


@attrs.frozen
class Provenance:
    """The history of every path that some file or override mentions, oldest first."""

    file: str
    trails: Mapping[Path, tuple[Written, ...]]

    def trail(self, path: Path) -> tuple[Written, ...]:
        """Return all that was said about `path`, oldest first; the last one holds.

        Empty for a value that was not given, and a default for one whose last entry is `DROPPED`.
        """
        return self.trails.get(path, ())

    def origin(self, path: Path) -> Origin | None:
        """Return where the value at `path` was written; None for a default."""
        trail = self.trail(path)
        return trail[-1].origin if trail and trail[-1].value is not DROPPED else None

    def removed(self, path: Path) -> bool:
        """Return whether the last word about the table or array at `path` is that there is none."""
        return any(written.value == NONE for written in self.trail(path)[-1:])

    def nearest(self, path: Path) -> Origin:
        """Return where `path` or, if it is not there, the closest table around it was written."""
        for end in range(len(path), 0, -1):
            origin = self.origin(path[:end])
            if origin is not None:
                return origin
        return Origin(self.file)
