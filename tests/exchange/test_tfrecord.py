"""TFRecord files, against tensorboardX's writer."""

import random
import struct

import pytest
from tensorboardX.crc32c import crc32c
from tensorboardX.record_writer import RecordWriter

from jaxpot.exchange import tfrecord
from jaxpot.exchange.tfrecord import read_records


def write(path, texts):
    writer = RecordWriter(str(path))
    for text in texts:
        writer.write(text)
    writer.close()
    return path


@pytest.fixture
def texts():
    """Records of a few lengths, many of some and few of others, and an empty one."""
    chance = random.Random(7)
    lengths = [20] * 30 + [33] * 8 + [1, 0, 5000]
    chance.shuffle(lengths)
    return [chance.randbytes(length) for length in lengths]


def test_what_was_written_is_read(tmp_path, texts):
    assert [r.data for r in read_records(write(tmp_path / "x", texts))] == texts


def test_in_several_batches(tmp_path, texts, monkeypatch):
    monkeypatch.setattr(tfrecord, "_BLOCK", 100)
    assert [r.data for r in read_records(write(tmp_path / "x", texts))] == texts


def test_checksums(texts):
    def masked(text):
        crc = crc32c(text)
        return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF

    assert tfrecord._masked_crcs(texts) == [masked(text) for text in texts]


def test_a_damaged_record_is_passed_over(tmp_path):
    path = write(tmp_path / "x", [b"one", b"two", b"three"])
    path.write_bytes(path.read_bytes().replace(b"two", b"tvo"))
    assert [tuple(r) for r in read_records(path)] == [
        (b"one", ""),
        (None, "a record does not match its checksum"),
        (b"three", ""),
    ]


def test_behind_a_damaged_length_nothing_is_read(tmp_path):
    path = write(tmp_path / "x", [b"one", b"two"])
    data = bytearray(path.read_bytes())
    data[19] ^= 1
    path.write_bytes(data)
    reason = "a record's length does not match its checksum"
    assert [tuple(r) for r in read_records(path)] == [(b"one", ""), (None, reason)]


@pytest.mark.parametrize("kept", [1, 7, 11, 12, 13, 14, 16, 18])
def test_a_last_record_that_is_cut_off(tmp_path, kept):
    path = write(tmp_path / "x", [b"one", b"two"])
    path.write_bytes(path.read_bytes()[: 19 + kept])
    found = list(read_records(path))
    assert found[0].data == b"one"
    assert [r.data for r in found[1:]] == [None]


def test_a_length_of_any_size_is_not_read(tmp_path):
    path = tmp_path / "x"
    head = struct.pack("<Q", 1 << 50)
    path.write_bytes(head + struct.pack("<I", tfrecord._masked_crcs([head])[0]) + b"x" * 50)
    assert [r.data for r in read_records(path)] == [None]


def test_an_empty_file(tmp_path):
    (tmp_path / "x").write_bytes(b"")
    assert list(read_records(tmp_path / "x")) == []
