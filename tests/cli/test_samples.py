"""`jaxpot samples`: samples as text."""

import json

import pytest

from jaxpot.cli.samples import samples_command as command
from jaxpot.errors import UserError
from jaxpot.store.samples import write_samples
from tests.cli.runs import call
from tests.store.journals import complete_run

UID = "20261122-101530-aaaaaa"
BOARD = {"board": "X . .\n. . .\n. . .\nO is to move", "observation": [[[0, 1]]]}
ROWS = [
    {
        "collector": "random",
        "lane": 0,
        "game": 0,
        "step": 1,
        "seat": 0,
        **BOARD,
        "legal_actions": [1, 2, 4],
        "action": 4,
        "reward": [1.0, -1.0],
        "done": True,
        "trained": True,
        "valid": True,
        "probabilities": [0.25, 0.5, 0.25],
        "log_prob": -1.3862944,
        "value": 0.125,
        "advantage": "NaN",
        "return": 1.0,
    },
    {
        "collector": "random",
        "lane": 4,
        "game": 0,
        "step": 0,
        "seat": 1,
        "board": None,
        "observation": [[[0, 1], [0, 0]], [[0, 1], [0, 0.5]]],
        "legal_actions": [0],
        "action": 0,
        "reward": [0.0, 0.0],
        "done": False,
        "trained": False,
        "valid": False,
    },
    {
        "collector": "selfplay",
        "lane": 0,
        "game": 0,
        "step": 0,
        "seat": 1,
        "board": None,
        "observation": [0, 3, 0, 0.5],
        "legal_actions": list(range(12)),
        "action": 11,
        "reward": [0.0, 0.0],
        "done": False,
        "trained": True,
        "valid": False,
        "probabilities": [1 / 12] * 12,
    },
]


@pytest.fixture
def runs_dir(tmp_path):
    run = complete_run(tmp_path, UID)
    head = {"format": 1, "attempt": 1}
    write_samples(run.folder, {**head, "iteration": 9, "exact": True}, ROWS[:1], keep=9)
    write_samples(run.folder, {**head, "iteration": 19, "exact": False}, ROWS, keep=9)
    return tmp_path


def test_the_newest_dump(runs_dir, snapshot):
    result = call(command, runs_dir, "latest")
    assert (result.exit_code, result.stdout) == (0, snapshot)


def test_one_dump_and_few_rows(runs_dir):
    assert "after 9 iterations" in call(command, runs_dir, UID, "--iteration", "10").stdout
    cut = call(command, runs_dir, UID, "--limit", "1").stdout
    assert cut.endswith("\n2 more rows: --limit 3\n")


def test_as_json(runs_dir):
    data = json.loads(call(command, runs_dir, UID, "--json", "--limit", "2").stdout)
    assert data["samples"] == ROWS[:2]
    assert data["iteration"] == 19


def test_what_there_is_not(runs_dir):
    with pytest.raises(UserError, match="no samples after 3 iterations; after 10, 20"):
        raise call(command, runs_dir, UID, "--iteration", "3").exception or AssertionError
    complete_run(runs_dir, "20261122-101531-bbbbbb")
    with pytest.raises(UserError, match="a spec with"):
        raise call(command, runs_dir, "20261122-101531-bbbbbb").exception or AssertionError
