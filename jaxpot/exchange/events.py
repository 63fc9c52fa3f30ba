"""TensorBoard's event files read: scalars by step, and hyperparameters.

A file is a sequence of TFRecords, each an `Event` message. As TensorBoard does it, a session that
starts at a step voids what was written of that step and those behind it.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

from jaxpot.errors import UserError
from jaxpot.exchange.tfrecord import read_records
from jaxpot.journal.records import LAST_ITERATION

_HPARAMS = "hparams"
_SCALARS = ("", "scalars")
# How TensorFlow numbers the types of a tensor: where its one value is, and how it lies in bytes.
_TENSORS = {
    1: ("float_val", "<f"),
    2: ("double_val", "<d"),
    3: ("int_val", "<i"),
    9: ("int64_val", "<q"),
    10: ("bool_val", "<?"),
}


@attrs.define
class Log:
    """What the event files of one folder say.

    Attributes:
        values: Each step's scalars by their tags.
        times: When each step was written last, in Unix seconds.
        begun: When the first event was written.
        hyperparameters: By name.
        left_out: How many of what could not be taken in, by what it is.
    """

    values: dict[int, dict[str, float]] = attrs.field(factory=dict)
    times: dict[int, float] = attrs.field(factory=dict)
    begun: float | None = None
    hyperparameters: dict[str, Any] = attrs.field(factory=dict)
    left_out: Counter[str] = attrs.field(factory=Counter)


def read_log(files: Iterable[Path]) -> Log:
    """Read event files, in order, as one log.

    Raises:
        UserError: what reads their messages is not installed.
    """
    try:
        from google.protobuf.message import DecodeError
        from tensorboardX.proto import event_pb2
    except ImportError as error:
        raise UserError(
            "TensorBoard's files need tensorboardX: pip install 'jaxpot[tensorboard]'"
        ) from error
    messages: Any = event_pb2  # made at run time: no type checker sees them
    log = Log()
    for path in files:
        for record in read_records(path):
            if record.data is None:
                log.left_out[record.reason] += 1
                continue
            try:
                event = messages.Event.FromString(record.data)
            except DecodeError:
                log.left_out["a record that is no event"] += 1
                continue
            _take(log, event)
    return log


def _take(log: Log, event: Any) -> None:
    if log.begun is None and math.isfinite(event.wall_time):
        log.begun = event.wall_time
    match event.WhichOneof("what"):
        case "session_log" if event.session_log.status == event.session_log.START:
            for step in [step for step in log.values if step >= event.step]:
                del log.values[step]
        case "summary":
            for value in event.summary.value:
                _take_value(log, event, value)
        case _:
            pass


def _take_value(log: Log, event: Any, value: Any) -> None:
    plugin = value.metadata.plugin_data.plugin_name
    if plugin == _HPARAMS:
        log.hyperparameters |= _hyperparameters(value.metadata.plugin_data.content)
        return
    number = _number(value) if plugin in _SCALARS else None
    if number is None:
        log.left_out[f"{plugin or value.WhichOneof('value') or 'value'}, which is no scalar"] += 1
    elif not 0 <= event.step <= LAST_ITERATION:
        log.left_out[f"a value at a step beyond 0 to {LAST_ITERATION}"] += 1
    else:
        log.values.setdefault(event.step, {})[value.tag] = number
        if math.isfinite(event.wall_time):
            log.times[event.step] = event.wall_time


def _number(value: Any) -> float | None:
    match value.WhichOneof("value"):
        case "simple_value":
            return value.simple_value
        case "tensor":
            return _of_tensor(value.tensor)
        case _:
            return None


def _of_tensor(tensor: Any) -> float | None:
    """Give a tensor's value, if it is one number."""
    if tensor.dtype not in _TENSORS or any(dim.size != 1 for dim in tensor.tensor_shape.dim):
        return None
    field, form = _TENSORS[tensor.dtype]
    listed: Sequence[Any] = getattr(tensor, field)
    if len(listed) == 1:
        return float(listed[0])
    if len(tensor.tensor_content) == struct.calcsize(form):
        return float(struct.unpack(form, tensor.tensor_content)[0])
    return None


def _hyperparameters(content: bytes) -> dict[str, Any]:
    from google.protobuf.message import DecodeError
    from tensorboardX.proto import plugin_hparams_pb2

    messages: Any = plugin_hparams_pb2
    try:
        data = messages.HParamsPluginData.FromString(content)
    except DecodeError:
        return {}
    found: dict[str, Any] = {}
    for name, value in data.session_start_info.hparams.items():
        match value.WhichOneof("kind"):
            case "number_value":
                found[name] = value.number_value
            case "string_value":
                found[name] = value.string_value
            case "bool_value":
                found[name] = value.bool_value
            case _:
                pass
    return found
