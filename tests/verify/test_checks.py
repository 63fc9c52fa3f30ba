"""Verification with real re-runs, each in a separate process."""

import hashlib
import json
import shutil
import struct
import sys
from contextlib import nullcontext
from importlib import metadata

import pytest

from jaxpot.spec import load, resolved, to_toml
from jaxpot.store import Store
from jaxpot.verify import checks, trials
from jaxpot.verify.checks import verify_against, verify_run, verify_spec
from jaxpot.verify.report import NOT_TRIED, read_grade
from jaxpot.verify.rerun import journal_in
from tests.journal.reading import records
from tests.loop.running import train
from tests.store.journals import Writer
from tests.tiny import tiny_experiment

pytestmark = pytest.mark.optimised

TINY = {
    "collect": {"random": None},
    "eval": {"vs_random": None, "tree": None},
    "checkpoint": {"every": 2},
}


def quiet(text):
    del text


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Trains a run that starts from another one's network and plays against it."""
    runs_dir = tmp_path_factory.mktemp("verify")
    parent = train(tiny_experiment(overrides=TINY, name="parent", iterations=1), runs_dir)
    old = {"old": {"kind": "checkpoint", "run": "parent", "every": 2, "num_games": 4}}
    child = tiny_experiment(overrides={**TINY, "eval": {**TINY["eval"], **old}}, iterations=5)
    result = train(child, runs_dir, init_from=parent.uid)
    # The name means another run by now; a re-run plays the one that was recorded.
    Writer(runs_dir, "20991122-101530-aaaaaa", name="parent", start=5e9).header()
    return result


@pytest.fixture
def copied(recorded, tmp_path):
    """Returns a runs directory of one's own to damage, and the uid."""
    runs_dir = tmp_path / "runs"
    shutil.copytree(recorded.run_dir.parent, runs_dir)
    return runs_dir, recorded.uid


def files(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("journal.jsonl", "run.lock")
    }


def rewrite(runs_dir, uid, change):
    """Changes records of a journal: `change` gets each one."""
    path = runs_dir / uid / "journal.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        change(line)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.slow
def test_a_run_is_identical_in_every_way_that_is_tried(copied, monkeypatch):
    # A kill and a resume are tried with a spec, below.
    monkeypatch.delitem(checks.TRIALS, "resumed")
    runs_dir, uid = copied
    folder = runs_dir / uid
    before, journal = files(folder), (folder / "journal.jsonl").read_bytes()
    progress = []
    report = verify_run(Store(runs_dir), uid, grade=True, tell=progress.append)

    assert (report.verdict, report.exit_code, report.differs) == ("identical", 0, ())
    assert report.compared[0].comparison.iterations == 5
    assert report.grade is not None
    verdicts = {name: each["verdict"] for name, each in report.grade.items()}
    assert verdicts.pop("other_device_count") == verdicts.pop("resumed") == NOT_TRIED
    # Threads may change bits; whether they do depends on the machine.
    assert verdicts.pop("other_thread_count") in ("identical", "within", "different")
    assert verdicts == dict.fromkeys(
        ("same_process", "other_process", "other_chunking"), "identical"
    )
    assert report.grade == read_grade(folder)
    assert "trying: same process" in progress
    # Nothing is written into the run but the event.
    assert files(folder) == before
    after = (folder / "journal.jsonl").read_bytes()
    assert after.startswith(journal)
    (added,) = [json.loads(line) for line in after[len(journal) :].splitlines()]
    assert (added["kind"], added["name"]) == ("event", "grade")


@pytest.mark.slow
def test_from_a_checkpoint(copied):
    runs_dir, uid = copied
    report = verify_run(Store(runs_dir), uid, checkpoint="2", every=2, tell=quiet)
    assert report.verdict == "identical"
    assert report.compared[0].comparison.iterations == 1
    assert report.grade is not None
    assert report.grade["resumed"]["verdict"] == "identical"
    assert report.grade["other_process"]["verdict"] == NOT_TRIED


@pytest.mark.slow
def test_the_first_difference_is_named_with_its_bits(copied):
    runs_dir, uid = copied
    given = []

    def change(record):
        if record["kind"] == "payload" and record["iter"] in (1, 3):
            given.append(record["values"]["total_loss"])
            record["values"]["total_loss"] = 0.5

    rewrite(runs_dir, uid, change)
    report = verify_run(Store(runs_dir), uid, tell=quiet)
    assert (report.verdict, report.exit_code) == ("different", 3)
    first = report.compared[0].comparison.first
    assert first is not None
    assert (first.iteration, first.key, first.a, first.b) == (1, "total_loss", 0.5, given[0])
    text = report.text()
    assert (
        f"recorded  0x3fe0000000000000  0.5\n    re-run    0x{struct.pack('>d', given[0]).hex()}"
        in text
    )
    assert "other process       different from iteration 1 on: total_loss" in text


@pytest.mark.slow
def test_another_machine_or_version_is_not_comparable(copied):
    runs_dir, uid = copied

    def change(record):
        if record["kind"] == "attempt":
            record["device_kind"] = "H200"
            record["versions"]["jaxlib"] = "0.0.1"

    rewrite(runs_dir, uid, change)
    here = metadata.version("jaxlib")
    report = verify_run(Store(runs_dir), uid, tell=quiet)
    assert (report.verdict, report.exit_code) == ("not_comparable", 2)
    assert report.differs == (f"jaxlib: 0.0.1 then, {here} now",)

    report = verify_run(Store(runs_dir), uid, across_versions=True, iterations=2, tell=quiet)
    assert (report.verdict, report.exit_code) == ("identical", 0)
    assert report.differs == (
        "device_kind: H200 then, cpu now",
        f"jaxlib: 0.0.1 then, {here} now",
    )
    # What another version gave says nothing of this one's determinism.
    assert report.grade is not None
    assert {each["verdict"] for each in report.grade.values()} == {NOT_TRIED}


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("spec") / "tiny.toml"
    path.write_text(to_toml(resolved(tiny_experiment(overrides=TINY, iterations=9))))
    return path


@pytest.mark.slow
def test_a_spec_repeats_itself_and_survives_a_kill(spec, tmp_path, monkeypatch):
    monkeypatch.setattr(trials, "workplace", lambda: nullcontext(tmp_path / "work"))
    progress = []
    report = verify_spec(
        load(spec), runs_dir=tmp_path / "runs", iterations=3, grade=False, tell=progress.append
    )
    assert (report.verdict, report.exit_code) == ("identical", 0)
    assert [each.comparison.iterations for each in report.compared] == [3, 3]
    assert "killed after 2 iterations; resuming" in progress
    assert not (tmp_path / "runs").exists()
    journal = journal_in(tmp_path / "work" / "killed")
    starts = [attempt["start_iter"] for attempt in records(journal, kinds=("attempt",))]
    payloads = [record["iter"] for record in records(journal, kinds=("payload",))]
    assert (starts, payloads) == ([0, 1], [0, 1, 1, 2])


@pytest.mark.slow
def test_against_another_interpreter(spec, tmp_path):
    report = verify_against(
        load(spec), sys.executable, runs_dir=tmp_path / "runs", iterations=1, tell=quiet
    )
    assert (report.verdict, report.differs) == ("identical", ())
    assert report.notes[0].startswith("both train with ")
