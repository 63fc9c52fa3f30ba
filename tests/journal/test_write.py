"""The journal: one whole line a record, whatever the numbers, the threads and the disk do."""

import fcntl
import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.journal import End, Event, Journal, JournalError, Note, encode
from tests.journal.reading import records


def lines(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_record_is_one_line_with_its_kind_first(tmp_path):
    with Journal(tmp_path / "j") as journal:
        journal.append(Note(text="two\nlines"))
        journal.sync()
    (record,) = lines(tmp_path / "j")
    assert list(record) == ["kind", "text", "time"]
    assert record["text"] == "two\nlines"
    assert record["time"] > 1.7e9


def test_not_finite_numbers_are_strings():
    values = {"a": float("nan"), "b": [float("inf"), {"c": np.float32("-inf")}], "d": 1.5}
    assert json.loads(encode(values)) == {
        "a": "NaN",
        "b": ["Infinity", {"c": "-Infinity"}],
        "d": 1.5,
    }


def test_numpy_scalars_keep_their_bits():
    found = json.loads(encode({"f": np.float32(0.1), "i": np.int32(7), "b": np.float64(0.1)}))
    assert np.float32(found["f"]) == np.float32(0.1)
    assert (found["i"], found["b"]) == (7, 0.1)


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="cannot hold a object"):
        encode({"a": object()})


@settings(max_examples=30)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_comes_back_exactly(value):
    assert json.loads(encode({"v": value}))["v"] == value


def test_threads_do_not_mix_their_lines(tmp_path):
    with Journal(tmp_path / "j") as journal:

        def write(thread):
            for number in range(50):
                journal.append(Event(name="x" * 500, payload={"id": [thread, number]}))

        threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = sorted(record["payload"]["id"] for record in lines(tmp_path / "j"))
    assert found == [[thread, number] for thread in range(4) for number in range(50)]


@pytest.mark.parametrize("torn", [b'{"kind":"pay', b"\0" * 200_000, b"}"])
def test_opening_cuts_a_torn_last_line(tmp_path, torn):
    path = tmp_path / "j"
    path.write_bytes(b'{"kind":"note"}\n' + torn)
    with Journal(path) as journal:
        journal.append(End(status="completed"))
    assert [record["kind"] for record in lines(path)] == ["note", "end"]


def test_a_journal_that_is_all_torn_becomes_empty(tmp_path):
    path = tmp_path / "j"
    path.write_bytes(b"half")
    Journal(path).close()
    assert path.read_bytes() == b""


def test_a_closed_journal_says_so(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.append(End(status="completed"))


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(JournalError, match=r"nowhere/j: cannot be opened: No such file"):
        Journal(tmp_path / "nowhere" / "j")


FULL_DISK = """
import resource, sys
from jaxpot.journal import Event, Journal, JournalError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
journal = Journal(sys.argv[1])
for number in range(100):
    try:
        journal.append(Event(name="x" * 100, payload={"number": number}))
    except JournalError as error:
        print(number, error)
        break
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
journal.append(Event(name="", payload={"number": "after"}))
"""


def test_a_full_disk_leaves_whole_lines_and_an_error(tmp_path):
    path = tmp_path / "j"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True
    )
    refused = int(done.stdout.split()[0])
    assert f"{path}: a line could not be written: File too large; make room" in done.stdout
    assert [record["payload"]["number"] for record in lines(path)] == [*range(refused), "after"]


def test_a_fragment_that_cannot_be_taken_back_stands_alone(tmp_path, monkeypatch):
    write = os.write
    with Journal(tmp_path / "j") as journal:

        def full(fd, data):
            if len(data) > 10:
                return write(fd, data[:10])
            raise OSError(28, "No space left on device")

        def refuse(fd, size):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "write", full)
        monkeypatch.setattr(os, "ftruncate", refuse)
        with pytest.raises(JournalError, match="No space left on device"):
            journal.append(Note(text="01234567890123456789012345678901234567890"))
        monkeypatch.undo()
        journal.append(End(status="completed"))
    assert [record["kind"] for record in records(tmp_path / "j")] == ["end"]


def test_whoever_has_the_file_s_lock_is_waited_for(tmp_path):
    path = tmp_path / "j"
    with Journal(path) as journal, path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        writer = threading.Thread(target=journal.append, args=(Note(text="mine"),))
        writer.start()
        time.sleep(0.05)
        assert path.read_bytes() == b""
        other.write(b'{"kind":"tag","time":1.0,"tag":"theirs"}\n')
        other.flush()
        fcntl.flock(other, fcntl.LOCK_UN)
        writer.join()
    assert [record["kind"] for record in lines(path)] == ["tag", "note"]


def test_whoever_keeps_the_file_s_lock_stops_nobody(tmp_path):
    path = tmp_path / "j"
    with Journal(path) as journal, path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        journal.append(Note(text="mine"))
        assert len(lines(path)) == 1


def test_the_lock_is_let_go_of_after_each_line(tmp_path):
    path = tmp_path / "j"
    with Journal(path) as journal, path.open("rb") as other:
        journal.append(Note(text="mine"))
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
