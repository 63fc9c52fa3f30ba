"""TFRecord files: records framed by their length, each with a CRC-32C of both.

A record is `length` (8 bytes), the length's masked CRC (4), the data, and the data's masked CRC
(4), all little-endian. https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

MAX_RECORD = 256 << 20
"""Bytes; a record that says it is longer is damage."""

_HEAD = struct.Struct("<QI")
_TAIL = struct.Struct("<I")
_BLOCK = 8 << 20
_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8
# From so many checksums of one length on, NumPy's columns are faster than Python's loop.
_MANY = 8


class Record(NamedTuple):
    """A record; `data` is None where it is damaged, which `reason` says."""

    data: bytes | None
    reason: str = ""


def read_records(path: Path) -> Iterator[Record]:
    """Yield a file's records in order; damage that nothing can be read behind is the last one."""
    with path.open("rb") as file:
        while batch := _batch(file):
            heads = _masked_crcs([head[:8] for head, _, _ in batch])
            bodies = _masked_crcs([data for _, data, _ in batch])
            for (head, data, tail), head_crc, data_crc in zip(batch, heads, bodies, strict=True):
                length, expected = _HEAD.unpack(head)
                if head_crc != expected:
                    yield Record(None, "a record's length does not match its checksum")
                    return
                if len(data) < length or len(tail) < _TAIL.size:
                    yield Record(None, "the last record is cut off")
                    return
                if data_crc != _TAIL.unpack(tail)[0]:
                    yield Record(None, "a record does not match its checksum")
                else:
                    yield Record(data)


def _batch(file: IO[bytes]) -> list[tuple[bytes, bytes, bytes]]:
    """Read records by the lengths that they say, some megabytes of them, unchecked."""
    batch: list[tuple[bytes, bytes, bytes]] = []
    read = 0
    while read < _BLOCK and (head := file.read(_HEAD.size)):
        head = head.ljust(_HEAD.size, b"\0")
        length, _ = _HEAD.unpack(head)
        data = file.read(length) if length <= MAX_RECORD else b""
        tail = file.read(_TAIL.size) if len(data) == length else b""
        batch.append((head, data, tail))
        read += length + _HEAD.size + _TAIL.size
        if len(tail) < _TAIL.size:
            break
    return batch


def _masked_crcs(texts: Sequence[bytes]) -> list[int]:
    """Compute the masked CRC-32C of each text."""
    import numpy as np

    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        by_length[len(text)].append(place)
    crcs = [0] * len(texts)
    for length, places in by_length.items():
        if len(places) < _MANY:
            found = [_crc(texts[place]) for place in places]
        else:
            joined = np.frombuffer(b"".join(texts[place] for place in places), np.uint8)
            found = _crcs(joined.reshape(len(places), length)).tolist()
        for place, crc in zip(places, found, strict=True):
            crcs[place] = (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF
    return crcs


def _crc(text: bytes) -> int:
    crc, table = 0xFFFFFFFF, _table()
    for byte in text:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _crcs(texts: Any) -> np.ndarray:
    """Compute the CRC-32C of each row of `[N, L] uint8`."""
    import numpy as np

    table = np.array(_table(), np.uint32)
    crc = np.full(len(texts), 0xFFFFFFFF, np.uint32)
    for column in np.ascontiguousarray(texts.T):
        crc = table[(crc ^ column) & 0xFF] ^ (crc >> 8)
    return crc ^ np.uint32(0xFFFFFFFF)


@cache
def _table() -> tuple[int, ...]:
    def entry(value: int) -> int:
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        return value

    return tuple(map(entry, range(256)))
