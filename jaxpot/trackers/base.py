"""The protocol of sinks: they get a run's records in order, in a separate process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import attrs

NOT_FINITE = ("NaN", "Infinity", "-Infinity")
"""A journal's text for the floats that JSON lacks; `float` reads them."""


@attrs.frozen(kw_only=True)
class SinkRun:
    """The run whose records a sink gets.

    Attributes:
        uid: Its identifier.
        name: The spec's name.
        folder: A folder for this sink alone, inside the run's folder; not made yet.
    """

    uid: str
    name: str
    folder: Path


class Sink(Protocol):
    """Gets records as they are in the run's journal; `docs/sinks.md` lists their fields.

    A number that is not finite is one of the strings `NOT_FINITE`. An error that a method raises
    closes the sink: it is built again later, and goes on after its last flush.
    """

    @property
    def from_start(self) -> bool:
        """Whether every restart is at iteration 0, since the sink cannot go on in the middle."""
        ...

    def restart(self, iteration: int) -> None:
        """Start, or start again: earlier records of `iteration` and later ones are void.

        This is the first call, with 0 for a new run. All records of `iteration` and later ones
        follow, even those that came before; a sink that deletes void ones here shows none twice.
        """
        ...

    def header(self, record: Mapping[str, Any]) -> None:
        """Take the run's header, with the newest attempt's spec; this is the second call."""
        ...

    def payload(self, record: Mapping[str, Any]) -> None:
        """Take an iteration's payload."""
        ...

    def histogram(self, record: Mapping[str, Any]) -> None:
        """Take a histogram of the iteration of the last payload."""
        ...

    def standings(self, record: Mapping[str, Any]) -> None:
        """Take the league's standings after the iteration of the last payload."""
        ...

    def flush(self) -> None:
        """Return once all records so far are safe: they do not come again."""
        ...

    def close(self) -> None:
        """Release everything; this is the last call."""
        ...


class FileSink:
    """A sink that writes into one open file at a time."""

    _file: BinaryIO | None = None

    def flush(self) -> None:
        """Wait until everything is on the disk."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
