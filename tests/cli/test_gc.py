"""`jaxpot gc`; tests/upkeep tests the findings themselves."""

import json
import re

import pytest

from jaxpot.cli.gc import _seconds as seconds
from jaxpot.cli.gc import gc_command as command
from jaxpot.errors import UserError
from jaxpot.store import RunLock, find
from jaxpot.store.trash import remove
from tests.cli.runs import call, two_runs

A = "20261122-101530-aaaaaa"


@pytest.fixture
def runs_dir(tmp_path):
    """Return a runs directory of two runs; one has the remains of a killed save."""
    two_runs(tmp_path / "runs")
    left = tmp_path / "runs" / A / "checkpoints" / ".tmp-000012-0123abcd"
    left.mkdir(parents=True)
    (left / "x").write_bytes(b"x" * 3000)
    return tmp_path / "runs"


def test_a_dry_run_then_not(runs_dir):
    left = runs_dir / A / "checkpoints" / ".tmp-000012-0123abcd"
    done = call(command, runs_dir)
    assert done.stdout.splitlines()[1].split()[:3] == [A, "2.9", "KiB"]
    assert done.stderr == "2.9 KiB would be freed; nothing is deleted without --apply\n"
    found = json.loads(call(command, runs_dir, "ttt", "--json").stdout)
    reason = "a killed save or deletion left it"
    row = {"run": A, "iteration": None, "bytes": 3000, "path": str(left), "reason": reason}
    assert found == {"applied": False, "bytes": 3000, "findings": [row], "skipped": []}
    assert left.is_dir()
    assert call(command, runs_dir, "--apply").stderr == "deleted 1, 2.9 KiB freed\n"
    assert not left.exists()
    assert call(command, runs_dir).stderr == f"nothing to delete in {runs_dir}\n"


def test_a_running_run_is_named(runs_dir):
    with RunLock(runs_dir / A):
        done = call(command, runs_dir)
    assert f"note: run {A} (ttt) is left alone: it is running" in done.stderr


def test_the_trash_is_named(runs_dir):
    remove(runs_dir, find(runs_dir, "other"))
    said = call(command, runs_dir).stderr.splitlines()[-1]
    assert re.fullmatch(
        r"the trash holds 1 run, [\d.]+ KiB: `jaxpot rm --purge` deletes them", said
    )
    assert "trash" not in call(command, runs_dir, "ttt").stderr


def test_no_runs(tmp_path):
    assert call(command, tmp_path / "none").stderr == f"nothing to delete in {tmp_path / 'none'}\n"


def test_spans():
    assert [seconds(text) for text in ("90s", "1.5h", "30d", "2w", "5m")] == [
        *(90.0, 5400.0, 2_592_000.0, 1_209_600.0, 300.0),
    ]
    for text in ("", "30", "d", "-1d", "1 d", "1y"):
        with pytest.raises(UserError, match="is no time span"):
            seconds(text)
