"""Read TensorBoard's event files: scalars by step, and hyperparameters.

TensorBoard's own reader takes the records apart and checks their checksums. As in TensorBoard, a
session that starts at a step replaces what was written for that step and the ones after it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs

from jaxpot.errors import UserError
from jaxpot.journal import LAST_ITERATION

EVENTS = ".tfevents."
"""A part of the name of every event file."""

_HPARAMS = "hparams"
_SCALARS = ("", "scalars")
_NUMBERS = "biuf"  # kinds of NumPy dtypes


@attrs.define
class Log:
    """The contents of the event files of one folder.

    Attributes:
        values: Scalars by step and tag.
        times: When each step was last written, in Unix seconds.
        begun: When the first event was written.
        hyperparameters: By name.
        left_out: The number of records and values that were left out, by reason.
    """

    values: dict[int, dict[str, float]] = attrs.field(factory=dict)
    times: dict[int, float] = attrs.field(factory=dict)
    begun: float | None = None
    hyperparameters: dict[str, Any] = attrs.field(factory=dict)
    left_out: Counter[str] = attrs.field(factory=Counter)


def require_tensorboard() -> None:
    """Check that TensorBoard is installed, without importing it.

    Raises:
        UserError: it is not; the text says what to install.
    """
    from importlib.util import find_spec

    if find_spec("tensorboard") is None:
        raise UserError(
            "importing TensorBoard's event files needs tensorboard: "
            "pip install 'jaxpot[tensorboard]'"
        )


def read_log(files: Iterable[Path]) -> Log:
    """Read event files, in order, as one log.

    Raises:
        UserError: tensorboard is not installed.
    """
    require_tensorboard()
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto import event_pb2

    messages: Any = event_pb2  # generated at run time, unknown to type checkers
    log = Log()
    for path in files:
        for record in _records(path, log):
            try:
                event = messages.Event.FromString(record)
            except DecodeError:
                log.left_out["a record that is no event"] += 1
                continue
            _take(log, event)
    return log


def _records(path: Path, log: Log) -> Iterator[bytes]:
    """Yield a file's records up to the first damaged one, which is counted as left out."""
    # Not tensorboard's `EventFileLoader`, which ends at damage without a word.
    from tensorboard.compat.tensorflow_stub.errors import DataLossError, OutOfRangeError
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

    reader: Any = PyRecordReader_New(str(path))
    while True:
        try:
            reader.GetNext()
        except OutOfRangeError:
            return
        except (DataLossError, MemoryError, OverflowError):  # the last two: of an absurd length
            log.left_out["the rest of a file from a damaged record on"] += 1
            return
        yield reader.record()


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
    """Return a value's number; None if it is anything else."""
    match value.WhichOneof("value"):
        case "simple_value":
            return value.simple_value
        # A larger shape is checked first: a tensor is filled up to the shape that it claims.
        case "tensor" if all(dim.size == 1 for dim in value.tensor.tensor_shape.dim):
            return _of_tensor(value.tensor)
        case _:
            return None


def _of_tensor(tensor: Any) -> float | None:
    from tensorboard.util.tensor_util import make_ndarray

    try:
        array = make_ndarray(tensor)
    except (TypeError, ValueError, IndexError):  # of no known type, or without its value
        return None
    return float(array.item()) if array.size == 1 and array.dtype.kind in _NUMBERS else None


def _hyperparameters(content: bytes) -> dict[str, Any]:
    from google.protobuf.message import DecodeError
    from tensorboard.plugins.hparams import plugin_data_pb2

    messages: Any = plugin_data_pb2
    try:
        data = messages.HParamsPluginData.FromString(content)
    except DecodeError:
        return {}
    hparams = data.session_start_info.hparams.items()
    kinds = ("number_value", "string_value", "bool_value")
    return {
        name: getattr(value, kind)
        for name, value in hparams
        if (kind := value.WhichOneof("kind")) in kinds
    }
