"""A file of JSON lines: every row that counts, once, in order.

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
    """Build the sink of `[sinks.<name>] kind = "jsonl"`."""
    if config.folder is None:
        return JsonLinesSink(run.folder.with_suffix(".jsonl"))
    return JsonLinesSink(expanded(config.folder) / f"{run.uid}.jsonl")


class JsonLinesSink(FileSink):
    """Appends lines to a file, and truncates it when lines are void."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header: Any = None

    @property
    def from_start(self) -> bool:
        return False

    def restart(self, iteration: int) -> None:
        """Cut off the lines of `iteration` and later ones."""
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a+b")
        self._file.truncate(self._end_of(self._file, iteration))

    def header(self, record: Mapping[str, Any]) -> None:
        """Write the header where the file does not have it yet."""
        if json.loads(encode(record)) != self._header:
            self._write(record)

    def payload(self, record: Mapping[str, Any]) -> None:
        self._write({"kind": record["kind"], "time": record["time"], **record["values"]})

    def histogram(self, record: Mapping[str, Any]) -> None:
        self._write({key: record[key] for key in ("kind", "time", "iter", "name", "counts")})

    def standings(self, record: Mapping[str, Any]) -> None:
        self._write({key: record[key] for key in ("kind", "time", "iter", "standings")})

    def _write(self, record: Mapping[str, Any]) -> None:
        if self._file is not None:
            self._file.write(encode(record))

    def _end_of(self, file: BinaryIO, iteration: int) -> int:
        """Find the end of the whole lines before `iteration`; keep the header among them."""
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
