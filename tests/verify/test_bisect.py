"""`jaxpot bisect`: real runs that part where it is known, and records changed by hand."""

import json
import shutil

import pytest

from jaxpot.cli.main import invoke
from jaxpot.errors import UserError
from jaxpot.spec import from_resolved, resolved, training_digest
from jaxpot.verify.bisect import lean_spec
from jaxpot.verify.divergence import compare_records, locate
from tests.loop.leagues import LEAGUE
from tests.loop.running import train
from tests.tiny import tiny_experiment

pytestmark = [pytest.mark.optimised, pytest.mark.slow]

PARTED = 2
SMALL = {
    "iterations": 6,
    "checkpoint": {"every": 1, "keep_last": 20},
    "eval": {"vs_random": None, "tree": None},
    "runtime": {"profile_every": PARTED + 1},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs; the second one stops to meet random moves an iteration earlier."""
    folder = tmp_path_factory.mktemp("runs")
    longer = train(tiny_experiment(name="longer", overrides=SMALL), folder)
    shorter = {"collect": {"random": {"until": PARTED}}}
    return longer, train(tiny_experiment(name="shorter", overrides={**SMALL, **shorter}), folder)


@pytest.fixture
def changed(runs, tmp_path):
    """Copies the first run twice, the second time with each record of its journal changed."""

    def change(function):
        for name in ("first", "second"):
            shutil.copytree(runs[0].run_dir, tmp_path / name)
        path = tmp_path / "second" / "journal.jsonl"
        records = [json.loads(line) for line in path.read_text().splitlines()]
        lines = [json.dumps(function(record) or record) + "\n" for record in records]
        path.write_text("".join(lines))
        return tmp_path

    return change


@pytest.fixture
def no_training(monkeypatch, runs):
    """Lets both sides be made again as the first run is: nothing is trained."""
    monkeypatch.setattr("jaxpot.verify.bisect._train", lambda *_: runs[0].run_dir)


def bisect(runs_dir, *arguments):
    return invoke(["--runs-dir", str(runs_dir), "bisect", *arguments])


def other_digest(record):
    if record["kind"] == "payload" and record["iter"] >= 4:
        record["digest"] = "0" * 16


def test_two_runs_part_where_they_do(runs, capsys):
    code = bisect(runs[0].run_dir.parent, "longer", "shorter", "--json")
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert code == 3
    assert f"running iterations {PARTED} to {PARTED} of {runs[1].uid} again" in err
    assert (found["iteration"], found["payload"]["iteration"]) == (PARTED, PARTED)
    assert found["digests"][0] != found["digests"][1]
    # What was recorded says the same as what was run again.
    assert found["recorded"]["iteration"] == PARTED
    assert found["recorded"]["phase"] == "collect_random"
    rerun = found["rerun"]
    assert (rerun["iteration"], rerun["phase"]) == (PARTED, "collect_random")
    assert rerun["phases"] == ["collect_random", "concatenate_batches", "training"]
    assert (rerun["a"]["repeats"], rerun["b"]["repeats"]) == (True, True)
    by_path = {leaf["path"]: leaf for leaf in rerun["leaves"]}
    assert set(found["recorded"]["leaves"]) == by_path.keys()
    kernel = by_path["params/hidden/0/kernel"]
    assert (kernel["a"], kernel["elements"]) == ("float32[18, 8]", 144)
    assert 0 < kernel["differing"] <= 144
    assert 0 < kernel["largest"] < 1
    first = found["suspects"][0]
    assert (first["what"], first["a"], first["b"]) == ("collect.random.until", 3, PARTED)
    assert first["reason"] == "trains something else"
    assert found["suspects"][-1]["what"] == "name"


def test_nothing_in_the_runs_directory_changes(runs, no_training, capsys):
    folder = runs[0].run_dir.parent
    before = sorted(folder.rglob("*"))
    assert bisect(folder, "longer", "shorter") == 3
    out = capsys.readouterr().out
    assert f"the states differ first after iteration {PARTED}" in out
    assert sorted(folder.rglob("*")) == before


def test_equal_runs_are_no_difference(changed, capsys):
    folder = changed(lambda record: None)
    assert bisect(folder, "first", "second") == 0
    assert capsys.readouterr().out.endswith(
        "the states are equal in all 6 iterations that both have\n"
    )


def test_a_record_that_is_not_repeated_is_reported(changed, no_training, capsys):
    folder = changed(other_digest)
    assert bisect(folder, "first", "second") == 3
    out = capsys.readouterr().out
    assert "the states differ first after iteration 4\n" in out
    assert "A again: the recorded bits\n" in out
    assert "B again: differs from the record from iteration 4 on" in out
    assert "name that one with --python-b" in out
    assert "so spec and settings are not the reason" in out


def test_a_side_that_cannot_be_run_is_reported(changed, monkeypatch, capsys):
    def refuse(*_):
        raise UserError("there is no jaxpot")

    monkeypatch.setattr("jaxpot.verify.bisect._train", refuse)
    assert bisect(changed(other_digest), "first", "second") == 3
    out = capsys.readouterr().out
    assert "B again: cannot be trained again here: there is no jaxpot\n" in out
    assert "so the elements of the leaves are unknown\n" in out


def test_what_made_the_record_is_listed(changed, capsys):
    def elsewhere(record):
        if record["kind"] == "attempt":
            record |= {"nproc": 64, "host": "elsewhere", "git_commit": "c0ffee"}
            record["versions"] = {**record["versions"], "jaxlib": "0.0.1", "cattrs": "0.0.1"}
        return other_digest(record)

    assert bisect(changed(elsewhere), "first", "second", "--no-rerun", "--json") == 3
    found = json.loads(capsys.readouterr().out)
    whats = [each["what"] for each in found["suspects"] if each["what"] != "git_dirty"]
    assert whats == ["jaxlib", "nproc", "git_commit", "cattrs", "host"]
    assert found["rerun"] is None


def test_a_payload_alone_may_differ(changed, capsys):
    def other_loss(record):
        if record["kind"] == "payload" and record["iter"] == 3:
            record["values"]["total_loss"] = "NaN"
            record["values"]["iteration/sps"] = 0.0

    assert bisect(changed(other_loss), "first", "second") == 3
    out = capsys.readouterr().out
    assert "the states are equal in all 6 iterations that both have\n" in out
    assert "the payloads differ first at iteration 3\n  total_loss: " in out
    assert "iteration/sps" not in out


def test_digests_recorded_later_name_no_phase(changed):
    def later(record):
        if record["kind"] == "payload" and record["iter"] >= PARTED + 1:
            record["digest"] = "0" * 16
        if record["kind"] == "digests" and record["iter"] > PARTED:
            record["values"] = dict.fromkeys(record["values"], "0" * 16)

    folder = changed(later)
    journals = folder / "first/journal.jsonl", folder / "second/journal.jsonl"
    parted = compare_records(*journals)
    assert (parted.iteration, parted.shared, parted.payload) == (PARTED + 1, PARTED + 2, None)
    located = locate(*journals, PARTED + 1)
    assert located is not None
    assert (located.iteration, located.phase) == (5, None)
    assert "params/hidden/0/kernel" in located.leaves


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("longer", "longer"), "'longer' and 'longer' are one run, "),
        (("longer", "absent"), "no run in "),
        (("longer", "shorter", "--python-a", "absent"), "File 'absent' does not exist"),
    ],
)
def test_what_cannot_be_compared_is_the_users_error(runs, capsys, arguments, message):
    assert bisect(runs[0].run_dir.parent, *arguments) == 2
    assert message in capsys.readouterr().err


def test_runs_without_a_common_iteration(changed, capsys):
    folder = changed(lambda record: {"kind": "none"} if record["kind"] == "payload" else None)
    assert bisect(folder, "first", "second") == 2
    assert "have recorded no iteration in common" in capsys.readouterr().err


def test_a_lean_spec_trains_the_same():
    experiment = tiny_experiment(overrides={**LEAGUE, "runtime": {"nproc": 2}})
    lean = lean_spec(resolved(experiment), 4)
    trains = from_resolved(lean)
    assert training_digest(trains) == training_digest(experiment)
    assert (list(trains.eval), trains.runtime.profile_every) == (["old"], 5)
    assert (trains.checkpoint.every, trains.runtime.nproc, trains.expect) == (None, None, ())
