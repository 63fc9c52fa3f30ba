"""What the campaign found once, each in the smallest form that shows it."""

import json
import shutil
from pathlib import Path

import pytest

from jaxpot.checkpoints import CheckpointError, CheckpointWriter, list_checkpoints
from jaxpot.checkpoints.layout import MANIFEST
from jaxpot.checkpoints.metadata import decode
from jaxpot.checkpoints.select import read_manifest
from jaxpot.errors import UserError
from jaxpot.journal import Journal, JournalError, Note, read_record
from jaxpot.spec import Best, Checkpoint
from jaxpot.store import RunLock, Store, database, errors, ingest
from jaxpot.store.runs import is_running
from tests.checkpoints.conftest import a_state
from tests.faults.hostile import signed
from tests.faults.quiet import quietly
from tests.journal.reading import live_payloads, records
from tests.store.journals import Writer, complete_run

UID = "20261122-101530-aaaaaa"
ALL = frozenset({"periodic", "milestone", "best"})
POLICY = Checkpoint(every=1, keep_last=5, best=Best(metric="win", keep=1))


def saved(run_dir: Path, *iterations: int) -> None:
    """Saves each iteration under all three names, each better than the one before."""
    writer = CheckpointWriter(run_dir, run_dir.parent, POLICY, lambda record: None)
    for iteration in iterations:
        state = a_state(iteration)
        writer.save(state, iteration=iteration, types=ALL, metadata={}, score=float(iteration))
    writer.wait()
    writer.close()


def places(run_dir: Path) -> list[tuple[str, int]]:
    return [(info.place, info.iteration) for info in list_checkpoints(run_dir)]


def test_a_milestone_that_was_still_to_be_linked_is_linked_by_the_next_attempt(tmp_path):
    saved(tmp_path, 1, 2)
    whole = places(tmp_path)
    for place in ("milestones", "best"):
        shutil.rmtree(tmp_path / "checkpoints" / place / "000002")
    reported = []
    CheckpointWriter(tmp_path, tmp_path.parent, POLICY, reported.append).close()
    assert places(tmp_path) == whole
    committed = [(r["type"], r["iteration"]) for r in reported if r["state"] == "committed"]
    assert sorted(committed) == [("best", 2), ("milestone", 2)]


def test_a_database_that_had_no_room_does_not_take_the_place_of_one(tmp_path):
    draft, path = tmp_path / "draft", tmp_path / "jaxpot.duckdb"
    draft.write_bytes(b"")
    database.wal(draft).write_bytes(b"what closing could not write into the file")
    with pytest.raises(errors.DatabaseFullError, match="no room"):
        database.replace(draft, path)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_is_removed_is_noticed_when_it_is_synced(tmp_path):
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.append(Note(text="x"))
        journal.path.unlink()
        with pytest.raises(JournalError, match="was removed"):
            journal.sync()


def test_a_run_s_folder_that_is_removed_is_not_made_again(tmp_path):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    writer = CheckpointWriter(run_dir, tmp_path, POLICY, lambda record: None)
    run_dir.rmdir()
    writer.save(a_state(), iteration=1, types=frozenset({"periodic"}), metadata={})
    with pytest.raises(CheckpointError, match="was removed"):
        writer.wait()
    writer.close()
    assert not run_dir.exists()


def test_a_newer_journal_is_not_resumed(tmp_path):
    run = Writer(tmp_path, UID)
    run.header(journal_version=2)
    with pytest.raises(UserError, match=r"version 2.*upgrade"):
        read_record(run.folder)


@pytest.mark.parametrize(
    "line",
    [
        {"kind": "payload", "attempt": 1, "iter": 1},
        {"kind": "payload", "attempt": 1, "iter": 1, "values": {"a": {"b": 1}}},
        {"kind": "payload", "attempt": 1, "iter": 1, "values": None},
        {"kind": ["payload"]},
        {"kind": "attempt", "attempt": 1},
        {"kind": "checkpoint", "state": "committed"},
        {"kind": "event", "name": None},
        {"kind": "event", "name": "opponent", "payload": None},
    ],
)
def test_a_record_of_another_form_is_passed_over(tmp_path, line):
    run = complete_run(tmp_path, UID)
    before = (len(list(live_payloads(run.path))), read_record(run.folder).digest)
    run.raw(json.dumps(line).encode() + b"\n")
    assert (len(list(live_payloads(run.path))), read_record(run.folder).digest) == before


def test_a_line_without_an_end_is_neither_read_nor_kept_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxpot.journal.read.MAX_LINE_BYTES", 1000)
    monkeypatch.setattr("jaxpot.store.unread.MAX_LINE_BYTES", 1000)
    monkeypatch.setattr("jaxpot.store.unread._CHUNK_BYTES", 500)
    monkeypatch.setattr(ingest, "BURST_BYTES", 500)
    run = Writer(tmp_path, UID)
    run.record("note", text="a")
    run.raw(b"x" * 5000 + b"\n")
    run.record("note", text="b")
    assert [record["text"] for record in records(run.path)] == ["a", "b"]
    (why,) = Store(tmp_path).ingest().refused.values()
    assert "too long" in why


def test_a_run_whose_journal_is_refused_is_shown(tmp_path):
    Writer(tmp_path, UID).header(journal_version=2)
    code, out, err = quietly("--runs-dir", str(tmp_path), "show", UID)
    assert code == 0
    assert UID in out
    assert "upgrade jaxpot" in err


@pytest.mark.parametrize("name", ["run.lock", "journal.jsonl"])
def test_a_link_in_a_run_is_not_written_through(tmp_path, name):
    kept = tmp_path / "kept.txt"
    kept.write_text("kept\n")
    run = complete_run(tmp_path / "runs", UID)
    (run.folder / name).unlink(missing_ok=True)
    (run.folder / name).symlink_to(kept)
    with pytest.raises(UserError, match="is a link"):
        RunLock(run.folder).acquire()
    assert kept.read_text() == "kept\n"
    assert not is_running(run.folder)


def test_checkpoints_are_not_written_through_a_link(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoints").symlink_to(tmp_path / "outside")
    with pytest.raises(CheckpointError, match="is a link"):
        CheckpointWriter(tmp_path / "run", tmp_path, POLICY, lambda record: None)


@pytest.mark.parametrize("name", ["iteration", "keep"])
def test_an_infinite_count_in_a_manifest_says_nothing(tmp_path, name):
    saved(tmp_path, 1)
    path = tmp_path / "checkpoints" / "best" / MANIFEST
    body = json.loads(path.read_bytes())
    (body["best"] if name == "keep" else body["checkpoints"][0])[name] = float("inf")
    path.write_text(json.dumps(body))
    assert read_manifest(path.parent) == (None, {})


def test_an_unknown_type_of_checkpoint_is_damage(tmp_path):
    saved(tmp_path, 1)
    path = tmp_path / "checkpoints" / "000001" / "metadata.json"
    body = json.loads(path.read_bytes()) | {"types": ["periodic", "../../x"]}
    with pytest.raises(ValueError, match="not a type of checkpoint"):
        decode(signed(body))
