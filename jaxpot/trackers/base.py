"""What a sink is: someone who is given a run's records, in their order, in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import attrs

NOT_FINITE = ("NaN", "Infinity", "-Infinity")
"""How a journal writes the floats that JSON does not have; `float` reads them."""


@attrs.frozen(kw_only=True)
class SinkRun:
    """The run whose records a sink is given.

    Attributes:
        uid: Its identifier.
        name: The spec's name.
        folder: A folder inside the run's that is the sink's own; not made yet.
    """

    uid: str
    name: str
    folder: Path


class Sink(Protocol):
    """Takes records as the run's journal has them; `docs/sinks.md` lists their fields.

    A number that is not finite is one of the strings `NOT_FINITE`. An error that a method raises
    closes the sink: it is built anew a while later, and goes on where it last was flushed.
    """

    @property
    def from_start(self) -> bool:
        """Whether every restart is at iteration 0, since the sink cannot go on where it was."""
        ...

    def restart(self, iteration: int) -> None:
        """Begins, or begins again: what came before of `iteration` and later ones is void.

        It is the first call, with 0 for a new run. All records of `iteration` and later ones come
        after it, also those that came before: a sink that forgets them here shows none twice.
        """
        ...

    def header(self, record: Mapping[str, Any]) -> None:
        """Takes the run's header, with the spec that holds by now; the second call."""
        ...

    def payload(self, record: Mapping[str, Any]) -> None:
        """Takes an iteration's payload."""
        ...

    def histogram(self, record: Mapping[str, Any]) -> None:
        """Takes a histogram of the iteration whose payload came last."""
        ...

    def standings(self, record: Mapping[str, Any]) -> None:
        """Takes the league's standings after the iteration whose payload came last."""
        ...

    def flush(self) -> None:
        """Returns once what was given is safe: it does not come again."""
        ...

    def close(self) -> None:
        """Lets go of everything; the last call."""
        ...


class FileSink:
    """What sinks share that write into one open file at a time."""

    _file: BinaryIO | None = None

    def flush(self) -> None:
        """Waits until everything is on the disk."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file, if one is open."""
        if self._file is not None:
            self._file.close()
            self._file = None
