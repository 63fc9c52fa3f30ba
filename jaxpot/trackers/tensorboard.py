"""TensorBoard's event files, written as a run's journal has its records.

A scalar is what TensorBoard keeps of one: a float32 under the payload's own key, at the iteration
and the wall time that were recorded. Histograms have a bucket for each action; the league's
standings are a table in text; the spec is there as text and as hyperparameters.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from jaxpot.paths import expanded
from jaxpot.trackers.base import FileSink

if TYPE_CHECKING:
    from jaxpot.spec.configs.sinks import TensorBoard
    from jaxpot.trackers.base import SinkRun

STANDINGS_TAG = "league/standings"
SPEC_TAG = "spec"

_PREFIX = "events.out.tfevents."
_COLUMNS = ("name", "place", "score", "rollouts", "active")


def build(config: TensorBoard, *, run: SinkRun) -> TensorBoardSink:
    """Build the sink of `[sinks.<name>] kind = "tensorboard"`."""
    folder = run.folder if config.folder is None else expanded(config.folder) / run.uid
    return TensorBoardSink(folder)


class TensorBoardSink(FileSink):
    """Writes one run's records into event files in a folder.

    Every `restart` begins another file, whose first event makes readers drop what earlier files
    have of that iteration and later ones, so no reader shows two points at one step.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = Path(folder)
        self._from = 0

    @property
    def from_start(self) -> bool:
        return False

    def restart(self, iteration: int) -> None:
        """Begin a file that voids `iteration` and later ones in earlier files."""
        from tensorboardX.proto.event_pb2 import SessionLog  # pyright: ignore

        self.close()
        self._from = iteration
        self._write(time.time(), session_log=SessionLog(status=SessionLog.START), step=iteration)

    def header(self, record: Mapping[str, Any]) -> None:
        """Write the spec as text and as hyperparameters."""
        from tensorboardX import summary

        now, spec = record["time"], record.get("spec") or {}
        text = record.get("spec_toml") or ""
        self._write(now, summary=summary.text(SPEC_TAG, _indented(text)), step=self._from)
        experiment, start, _ = summary.hparams(
            dict(_hyperparameters(spec, "")), dict.fromkeys(_judged(spec))
        )
        for each in (experiment, start):
            self._write(now, summary=each, step=self._from)

    def payload(self, record: Mapping[str, Any]) -> None:
        from tensorboardX.proto.summary_pb2 import Summary  # pyright: ignore

        values = [
            Summary.Value(tag=key, simple_value=float(value))
            for key, value in record["values"].items()
        ]
        self._write(record["time"], summary=Summary(value=values), step=record["iter"])

    def histogram(self, record: Mapping[str, Any]) -> None:
        """Write counts; the count at index `i` is that of the number `i`."""
        from tensorboardX.summary import histogram_raw

        counts = record["counts"]
        found = [index for index, count in enumerate(counts) if count] or [0]
        made = histogram_raw(
            record["name"],
            min=found[0],
            max=found[-1],
            num=sum(counts),
            sum=sum(index * count for index, count in enumerate(counts)),
            sum_squares=sum(index**2 * count for index, count in enumerate(counts)),
            bucket_limits=[index + 0.5 for index in range(len(counts))],
            bucket_counts=counts,
        )
        self._write(record["time"], summary=made, step=record["iter"])

    def standings(self, record: Mapping[str, Any]) -> None:
        from tensorboardX.summary import text

        made = text(STANDINGS_TAG, _table(record["standings"]))
        self._write(record["time"], summary=made, step=record["iter"])

    def _write(self, wall_time: float, **fields: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event  # pyright: ignore

        if self._file is None:
            self._file = _open(self._folder)
            version = Event(wall_time=wall_time, file_version="brain.Event:2")
            self._file.write(_framed(version.SerializeToString()))
        self._file.write(_framed(Event(wall_time=wall_time, **fields).SerializeToString()))


def _open(folder: Path) -> BinaryIO:
    """Create an event file whose name sorts after the folder's others."""
    folder.mkdir(parents=True, exist_ok=True)
    # Readers go by the names; the clock alone may stand still between two files, or be set back.
    numbers = (path.name.removeprefix(_PREFIX)[:10] for path in folder.glob(f"{_PREFIX}*"))
    newest = max((int(number) for number in numbers if number.isdecimal()), default=0)
    number = max(int(time.time()), newest + 1)
    return (folder / f"{_PREFIX}{number:010d}.{socket.gethostname()}").open("xb")


def _framed(data: bytes) -> bytes:
    """Return an event as a TFRecord: its length and its bytes, each with its checksum."""
    from tensorboardX.record_writer import masked_crc32c

    length = struct.pack("<Q", len(data))
    checks = [struct.pack("<I", masked_crc32c(part)) for part in (length, data)]
    return length + checks[0] + data + checks[1]


def _hyperparameters(value: Any, path: str) -> Iterator[tuple[str, bool | int | float | str]]:
    """Yield a resolved spec's values by their dotted paths; arrays as JSON."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _hyperparameters(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        yield path, json.dumps(value)
    elif isinstance(value, bool | int | float | str):
        yield path, value


def _judged(spec: Mapping[str, Any]) -> list[str]:
    """Return the metrics of the spec's gates and of `checkpoint.best`."""
    gates = [gate["metric"] for gate in spec.get("expect", ())]
    best = spec.get("checkpoint", {}).get("best")
    return gates + ([best["metric"]] if isinstance(best, Mapping) else [])


def _indented(text: str) -> str:
    """Return text as a Markdown code block."""
    return "".join(f"    {line}\n" for line in text.splitlines())


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [_COLUMNS, ("---",) * len(_COLUMNS)]
    lines += [tuple(str(row.get(name, "")) for name in _COLUMNS) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
