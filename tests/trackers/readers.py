"""What tools read of what sinks wrote, each by its own reader."""

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_ALL = dict.fromkeys(("scalars", "histograms", "tensors"), 0)
_BLOCK = 32768


def events(folder: Path) -> Any:
    """TensorBoard's accumulator over all that a folder has."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), size_guidance=_ALL).Reload()


def scalars(folder: Path) -> dict[str, list[tuple[int, float, float]]]:
    """Every tag's steps, wall times and values, as TensorBoard shows them."""
    found = events(folder)
    return {
        tag: [(each.step, each.wall_time, each.value) for each in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


def lines(path: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """The records of a file of JSON lines, of one kind or all."""
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [each for each in found if kind in (None, each["kind"])]


def wandb_records(folder: Path) -> list[Any]:
    """Every record of the one offline run in a folder, as wandb's own classes read them."""
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = folder.rglob("run-*.wandb")
    return [Record.FromString(data) for data in _framed(path.read_bytes())]


def wandb_rows(records: list[Any]) -> list[dict[str, Any]]:
    """The history of a run, one table a step, keys joined as they were logged."""
    histories = [each.history for each in records if each.WhichOneof("record_type") == "history"]
    return [
        {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in each.item}
        for each in histories
    ]


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """A payload's values as floats, those that JSON does not have included."""
    return {key: float(value) for key, value in values.items()}


def _framed(data: bytes) -> Iterator[bytes]:
    """LevelDB's log format, in which wandb keeps a run: blocks of framed pieces of records."""
    assert data[:4] == b":W&B"
    place, record = 7, b""
    while place < len(data):
        left = _BLOCK - place % _BLOCK
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        record += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            yield record
            record = b""
