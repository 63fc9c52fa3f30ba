"""`jaxpot sync`: records sent later, each point once."""

import json

import pytest

from jaxpot.cli.sync import sync_command as command
from jaxpot.errors import UserError
from tests.cli.runs import call
from tests.spec.specs import SMALL
from tests.store.journals import Writer
from tests.trackers import readers

UID = "20261122-101530-aaaaaa"
SPEC = {**SMALL, "sinks": {"mine": {"kind": "jsonl"}}}


@pytest.fixture
def run(tmp_path):
    run = Writer(tmp_path, UID)
    run.header(spec=SPEC)
    run.start()
    run.payloads(range(5))
    run.end()
    return run


def test_a_run_gets_to_its_own_sinks_once(run, tmp_path):
    for _ in range(2):
        result = call(command, tmp_path, "latest")
        assert result.stdout == f"{UID}  mine  delivered  5 iterations\n"
    path = run.folder / "sinks" / "mine.jsonl"
    assert [row["iter"] for row in readers.lines(path, "payload")] == list(range(5))


def test_a_run_gets_to_a_sink_that_its_spec_does_not_have(run, tmp_path):
    folder = json.dumps(str(tmp_path / "there"))
    setting = ("--sink", "tensorboard", "-s", f"sinks.tensorboard.folder={folder}")
    result = call(command, tmp_path, UID, *setting, "--json")
    (row,) = json.loads(result.stdout)
    assert row == {
        "run": UID,
        "sink": "tensorboard",
        "state": "delivered",
        "done": 5,
        "error": None,
    }
    assert len(readers.scalars(tmp_path / "there" / UID)["total_loss"]) == 5


def test_a_failure_is_told(run, tmp_path):
    (tmp_path / "file").write_text("")
    folder = json.dumps(str(tmp_path / "file"))
    result = call(command, tmp_path, UID, "-s", f"sinks.mine.folder={folder}")
    assert result.exit_code == 1
    assert "sink mine: it has 0 iterations and failed: FileExistsError" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sink", "tensorbord"), r"sinks\.tensorbord\.kind: missing"),
        (("-s", "seed=3"), "only values of sinks can be set"),
        (("-s", "sinks.mine.foldr=3"), "did you mean 'folder'"),
    ],
)
def test_what_is_wrong(run, tmp_path, arguments, message):
    with pytest.raises(UserError, match=message):
        raise call(command, tmp_path, UID, *arguments).exception or AssertionError


def test_a_spec_without_sinks_needs_one_named(tmp_path):
    run = Writer(tmp_path, UID)
    run.header(spec=SMALL)
    with pytest.raises(UserError, match="its spec has no sinks; name one with --sink"):
        raise call(command, tmp_path, UID).exception or AssertionError
