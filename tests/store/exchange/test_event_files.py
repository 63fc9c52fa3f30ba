"""Event files, whole and damaged, written by tensorboardX and read by TensorBoard."""

import importlib.util
import struct

import pytest
from tensorboardX.proto import event_pb2, summary_pb2
from tensorboardX.record_writer import RecordWriter, masked_crc32c

from jaxpot.cli.main import invoke
from jaxpot.store.exchange.event_files import read_log

DAMAGED = {"the rest of a file from a damaged record on": 1}


def event(step):
    value = summary_pb2.Summary.Value(tag="x", simple_value=float(step))  # pyright: ignore
    summary = summary_pb2.Summary(value=[value])  # pyright: ignore
    return event_pb2.Event(wall_time=1.0, step=step, summary=summary).SerializeToString()  # pyright: ignore


@pytest.fixture
def path(tmp_path):
    """An event file of three steps."""
    folder = tmp_path / "log"
    folder.mkdir()
    path = folder / "events.out.tfevents.1.x"
    writer = RecordWriter(str(path))
    for step in range(3):
        writer.write(event(step))
    writer.close()
    return path


def test_what_was_written_is_read(path):
    log = read_log([path, path])
    assert log.values == {step: {"x": float(step)} for step in range(3)}
    assert not log.left_out


def test_an_empty_file_is_an_empty_log(path):
    path.write_bytes(b"")
    log = read_log([path])
    assert (log.values, log.left_out) == ({}, {})


@pytest.mark.parametrize("place", [0, 3, 9, 14, -2])
def test_the_records_before_a_damaged_one_are_read(path, place):
    data = bytearray(path.read_bytes())
    length = len(data) // 3
    data[length + place if place >= 0 else 2 * length + place] ^= 1
    path.write_bytes(data)
    log = read_log([path])
    assert list(log.values) == [0]
    assert log.left_out == DAMAGED


@pytest.mark.parametrize("kept", [1, 7, 11, 12, 13, 20, -1])
def test_a_record_that_is_cut_off_is_damage(path, kept):
    data = path.read_bytes()
    length = len(data) // 3
    path.write_bytes(data[: length + kept] if kept > 0 else data[:kept])
    log = read_log([path])
    assert list(log.values) == ([0] if kept > 0 else [0, 1])
    assert log.left_out == DAMAGED


@pytest.mark.parametrize("length", [1 << 30, 1 << 50, (1 << 64) - 1])
def test_an_absurd_length_takes_no_memory(path, length):
    import resource

    head = struct.pack("<Q", length)
    path.write_bytes(head + struct.pack("<I", masked_crc32c(head)) + b"x" * 50)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert read_log([path]).left_out == DAMAGED
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_without_tensorboard_it_says_what_to_install(path, tmp_path, monkeypatch, capsys):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tensorboard" else real(name)
    )
    assert invoke(["--runs-dir", str(tmp_path / "runs"), "import", str(path.parent)]) == 2
    assert "pip install 'jaxpot[tensorboard]'" in "".join(capsys.readouterr())
