"""A file of JSON lines: the rows that count, each once, in their order.

A line has the record's `kind`, `time` and `iter`. A payload's keys stand beside those; a histogram
has `name` and `counts`, standings have `standings`, and the header what a run's journal begins
with. A number that is not finite is a string, as in the journal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from jaxpot.journal import encode
from jaxpot.paths import expanded
from jaxpot.trackers.base import FileSink

if TYPE_CHECKING:
    from jaxpot.spec.configs.sinks import JsonLines
    from jaxpot.trackers.base import SinkRun


def build(config: JsonLines, *, run: SinkRun) -> JsonLinesSink:
    """Makes the sink that `[sinks.<name>] kind = "jsonl"` declares."""
    if config.folder is None:
        return JsonLinesSink(run.folder.with_suffix(".jsonl"))
    return JsonLinesSink(expanded(config.folder) / f"{run.uid}.jsonl")


class JsonLinesSink(FileSink):
    """Appends lines to a file, and cuts off those that are void."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header: Any = None

    @property
    def from_start(self) -> bool:
        """False: what is void is cut off."""
        return False

    def restart(self, iteration: int) -> None:
        """Cuts off the lines of `iteration` and later ones."""
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a+b")
        self._file.truncate(self._end_of(self._file, iteration))

    def header(self, record: Mapping[str, Any]) -> None:
        """Takes what the run is; a line where the file does not say it yet."""
        if json.loads(encode(record)) != self._header:
            self._write(record)

    def payload(self, record: Mapping[str, Any]) -> None:
        """Takes one iteration's numbers."""
        self._write({"kind": record["kind"], "time": record["time"], **record["values"]})

    def histogram(self, record: Mapping[str, Any]) -> None:
        """Takes counts."""
        self._write({key: record[key] for key in ("kind", "time", "iter", "name", "counts")})

    def standings(self, record: Mapping[str, Any]) -> None:
        """Takes what the league held."""
        self._write({key: record[key] for key in ("kind", "time", "iter", "standings")})

    def _write(self, record: Mapping[str, Any]) -> None:
        if self._file is not None:
            self._file.write(encode(record))

    def _end_of(self, file: BinaryIO, iteration: int) -> int:
        """Returns where the whole lines of what came before `iteration` end."""
        file.seek(0)
        end, self._header = 0, None
        if iteration == 0:
            return end
        for line in file:
            try:
                record = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                record = None
            if record is None or record.get("iter", -1) >= iteration:
                break
            if record["kind"] == "header":
                self._header = record
            end += len(line)
        return end
