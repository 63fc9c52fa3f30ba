"""`jaxpot resume --from`, on real runs; `test_run` holds its output to that of `run`."""

import json

import pytest

from jaxpot.cli.main import invoke
from jaxpot.loop import run as runner
from jaxpot.testing.tiny import tiny_experiment
from tests.loop.running import train

ONLY = {"eval": {"vs_random": None, "tree": None}, "collect": {"random": None}}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished run with checkpoints 000002 and 000004."""
    experiment = tiny_experiment(iterations=4, checkpoint={"every": 2}, overrides=ONLY)
    return train(experiment, tmp_path_factory.mktemp("runs"))


@pytest.fixture
def asked(monkeypatch):
    """Lets nothing be trained: what gets that far is kept."""
    seen = []
    resume = runner.resume

    def watched(*arguments, **options):
        seen.append(options["checkpoint"])
        return resume(*arguments, **options, ingest=False)

    monkeypatch.setattr(runner, "resume", watched)
    return seen


def call(run, *arguments):
    return invoke(["--runs-dir", str(run.run_dir.parent), "resume", run.uid, *arguments])


def test_without_it_a_finished_run_gives_its_result(done, asked, capsys):
    assert call(done, "--json") == 0
    assert json.loads(capsys.readouterr().out)["attempt"] == 1
    assert asked == [None]


@pytest.mark.parametrize("word", ["3", "best", "milestone:2"])
def test_what_is_not_there_is_the_users_error(done, asked, capsys, word):
    assert call(done, "--from", word) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        f"error: run {done.uid} has no checkpoint {word!r}; there are periodic 2, 4\n"
    )
    assert asked == [word]


def test_a_word_that_means_nothing_is_explained(done, asked, capsys):
    assert call(done, "--from", "newest") == 2
    assert "allowed are latest, best, milestone:N and a number of" in capsys.readouterr().err


def test_an_older_one_is_started_from_and_says_what_it_supersedes(done, asked, capsys):
    assert call(done, "--from", "2", "--json") == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out.splitlines()[-1])
    assert (result["attempt"], result["digest"]) == (2, done.digest)
    uid = done.uid
    assert (
        f"resuming from {uid}/checkpoints/000002 supersedes, and deletes, {uid}/checkpoints/000004"
    ) in captured.err
