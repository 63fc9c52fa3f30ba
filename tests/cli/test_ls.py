"""`jaxpot ls`."""

import json
import subprocess
import sys

import pytest

from jaxpot.cli.ls import ls_command as command
from tests.cli.runs import call
from tests.store.journals import Writer
from tests.store.test_database import held

SHAPE = [
    *("uid", "name", "status", "iterations", "attempts", "seed", "spec_digest"),
    *("training_digest", "started", "ended", "lag_bytes", "tags"),
]


def test_json(runs_dir, snapshot):
    done = call(command, runs_dir, "--json")
    found = json.loads(done.stdout)
    assert [list(row) for row in found] == [SHAPE] * 2
    assert found == snapshot
    assert done.stderr.replace(str(runs_dir), "runs") == snapshot(name="stderr")


def test_text(runs_dir, snapshot):
    done = call(command, runs_dir)
    assert done.exit_code == 0
    assert done.stdout == snapshot


def test_limit(runs_dir):
    assert len(json.loads(call(command, runs_dir, "-n", "1", "--json").stdout)) == 1


@pytest.mark.parametrize(
    ("arguments", "uids"),
    [
        (("--tag", "kept"), ["aaaaaa"]),
        (("-t", "kept", "-t", "nope"), []),
        (("--status", "completed", "--status", "interrupted"), ["bbbbbb", "aaaaaa"]),
        (("--status", "interrupted", "--name", "t*"), []),
        (("--name", "t*"), ["aaaaaa"]),
        (("--spec", "5d5d"), ["bbbbbb", "aaaaaa"]),
        (("--spec", "7d7d", "-n", "1"), ["bbbbbb"]),
        (("--spec", "0"), []),
    ],
)
def test_filters(runs_dir, arguments, uids):
    found = json.loads(call(command, runs_dir, *arguments, "--json").stdout)
    assert [row["uid"][-6:] for row in found] == uids


def test_nothing_like_that(runs_dir):
    done = call(command, runs_dir, "--tag", "nope")
    assert (done.stdout, done.stderr.splitlines()[-1]) == ("", f"no runs like that in {runs_dir}")


def test_no_runs_directory(tmp_path):
    done = call(command, tmp_path / "none")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"no runs in {tmp_path / 'none'}\n"
    assert call(command, tmp_path / "none", "--json").stdout == "[]\n"
    assert list(tmp_path.iterdir()) == []


def test_an_empty_runs_directory_stays_empty(tmp_path):
    assert call(command, tmp_path, "--json").stdout == "[]\n"
    assert list(tmp_path.iterdir()) == []


def test_lag_and_the_holder_are_shown(runs_dir):
    call(command, runs_dir)
    run = Writer(runs_dir, "20261122-111530-bbbbbb")
    run.raw(b'{"kind":"note","time":1795000000.0,"text":"x"}\n')
    with held(runs_dir / "jaxpot.duckdb") as pid:
        done = call(command, runs_dir, "--json")
    assert f"is held by process {pid}" in done.stderr
    assert [row["lag_bytes"] for row in json.loads(done.stdout)] == [47, 0]


def test_what_it_imports(runs_dir):
    call(command, runs_dir)
    code = (
        "import sys\nfrom jaxpot.cli.ls import ls_command as command\n"
        "from pathlib import Path\n"
        "command.main(['--json'], obj={'runs_dir': Path(sys.argv[1])}, standalone_mode=False)\n"
        "heavy = {'jax', 'flax', 'numpy', 'rich', 'attr', 'cattrs', 'subprocess', 'tomli'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    command_line = [sys.executable, "-c", code, str(runs_dir)]
    done = subprocess.run(command_line, capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
