"""What the assertions on a spec say where it does not hold; `tests/outsider` has where it does."""

import json
import shutil

import pytest

from jaxpot.errors import UserError
from jaxpot.spec import resolved, to_toml
from jaxpot.testing import (
    NotReproducibleError,
    assert_payload_keys,
    assert_reproducible,
    assert_resumable,
    reproducibility,
)
from tests.loop.running import train
from tests.tiny import tiny_experiment

pytestmark = pytest.mark.optimised

ONLY = {"eval": {"vs_random": None, "tree": None}, "collect": {"random": None}}
TINY = tiny_experiment(iterations=3, overrides=ONLY)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return train(TINY, tmp_path_factory.mktemp("runs"))


@pytest.fixture
def asked(monkeypatch, done):
    """Puts a finished run where a process would have trained; `asked.change` alters the second."""

    class Asked(list):
        change = None

    seen = Asked()

    def run(subject, runs_dir):
        seen.append(("run", subject.iterations, subject.settings.nproc))
        journal = runs_dir / done.uid / "journal.jsonl"
        shutil.copytree(done.run_dir, journal.parent)
        if seen.change is not None and len(seen) > 1:
            records = [json.loads(line) for line in journal.read_text().splitlines()]
            for record in records:
                seen.change(record)
            journal.write_text("".join(json.dumps(record) + "\n" for record in records))
        return journal

    def resume(journal, *, settings, iterations):
        seen.append(("resume", iterations, settings.nproc))
        return {"results": [{"status": "completed"}]}

    monkeypatch.setattr(reproducibility, "_run", run)
    monkeypatch.setattr(reproducibility, "resume", resume)
    return seen


def other_loss(record):
    if record["kind"] == "payload" and record["iter"] == 1:
        record["values"] |= {"total_loss": 0.5, "timings/total": 9.0}


def test_two_runs_are_trained_and_held_to_each_other(asked):
    assert_reproducible(TINY, iterations=3, nproc=2)
    assert asked == [("run", 3, 2), ("run", 3, 2)]


def test_the_first_difference_is_reported(asked):
    asked.change = other_loss
    with pytest.raises(NotReproducibleError) as caught:
        assert_reproducible(TINY)
    text = str(caught.value)
    assert text.startswith("a second run gives other bits: iteration 1, total_loss: 0x")
    assert text.endswith(" and 0x3fe0000000000000 (0.5)")
    first = caught.value.comparison.first
    assert first is not None
    assert first.others == ()


def test_every_stop_is_a_process(asked):
    assert_resumable(TINY, iterations=9, stops=[5, 2])
    assert asked == [("run", 9, None), ("run", 2, None), ("resume", 5, None), ("resume", 9, None)]


def test_what_a_resumed_run_does_differently_is_reported(asked):
    asked.change = other_loss
    with pytest.raises(NotReproducibleError, match=r"stopped after \[1\] and resumed, it gives"):
        assert_resumable(TINY)


@pytest.mark.parametrize("stops", [[0], [3], [1, 4], []])
def test_a_stop_that_stops_nothing_is_refused(asked, stops):
    with pytest.raises(UserError, match="must be between the first and the last of 3 iterations"):
        assert_resumable(TINY, stops=stops)
    assert asked == []


def test_the_keys_are_those_of_a_run(asked, done):
    assert_payload_keys(TINY, keys_of(done))
    assert asked == [("run", 1, None)]


def test_other_keys_are_named(asked, done):
    expected = keys_of(done) | {"more": "int", "total_loss": "int"}
    del expected["iter"]
    with pytest.raises(AssertionError) as caught:
        assert_payload_keys(TINY, expected)
    assert sorted(str(caught.value).splitlines()[1:]) == [
        "  iter: int, in the snapshot absent",
        "  more: absent, in the snapshot int",
        "  total_loss: float, in the snapshot int",
    ]


def test_a_snapshot_of_syrupy_will_do(asked, snapshot):
    assert_payload_keys(TINY, snapshot)


def test_a_path_takes_overrides_and_an_experiment_does_not(asked, tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(to_toml(resolved(TINY)))
    assert_reproducible(path, overrides=["iterations=2"])
    assert asked[0] == ("run", 2, None)
    with pytest.raises(UserError, match="an experiment takes none"):
        assert_reproducible(TINY, overrides=["iterations=2"])


def test_a_run_that_fails_is_not_compared(monkeypatch):
    class Failed:
        def __init__(self, request, **_):
            self.request = request

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def finish(self):
            return {"results": [{"uid": "x", "status": "failed", "reason": "not finite"}]}

    monkeypatch.setattr("jaxpot.verify.trials.Child", Failed)
    with pytest.raises(UserError, match="the run ended as failed: not finite"):
        assert_reproducible(TINY)


def keys_of(run):
    for line in (run.run_dir / "journal.jsonl").read_text().splitlines():
        record = json.loads(line)
        if record["kind"] == "keys":
            return {key["name"]: key["dtype"] for key in record["keys"]}
    raise AssertionError("no keys are declared")
