import json

import pytest

from jaxpot.cli.compare import compare_command as command
from tests.cli.runs import call
from tests.views.runs import FAST, uid, write_run


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in range(3):
        for letter, digest, rate, factor in (("a", "aa" * 32, 1e-3, 2.0), ("b", FAST, 1e-2, 1.0)):
            rows = [{"total_loss": factor / (i + 1) + 0.1 * seed} for i in range(10)]
            name = f"run-{letter}"
            tags = ["paper"]
            write_run(folder, letter, seed, rows, digest=digest, rate=rate, name=name, tags=tags)
    return folder


def test_comparison_as_tables(runs_dir, snapshot):
    result = call(command, runs_dir, "run-a", "run-b")
    assert result.exit_code == 0
    assert result.stdout == snapshot


def test_comparison_as_markdown(runs_dir, snapshot):
    result = call(command, runs_dir, uid("a", 0), uid("b", 1), "--markdown", "--at", "4")
    assert result.stdout == snapshot
    assert "n = 1" in result.stderr


def test_a_tag_means_every_run_that_has_it(runs_dir):
    record = json.loads(call(command, runs_dir, "paper", "--json").stdout)
    assert len(record["runs"]) == 6
    assert [len(group["uids"]) for group in record["groups"]] == [3, 3]
    assert record["keys"][0]["best"] == "run-b (3 seeds)"


def test_separate_takes_no_seeds_together(runs_dir):
    record = json.loads(call(command, runs_dir, "paper", "--separate", "--json").stdout)
    assert len(record["groups"]) == 6


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["run-a", "--keys", "total_los"], "did you mean 'total_loss'"),
        ([uid("a", 0)], f"there is only {uid('a', 0)} to compare"),
        (["run-a", "run-c"], "no run in"),
        (["run-a", "--at", "first"], "'first' is not `last`, `best` or an iteration"),
        (["run-a", "--all", "--keys", "x"], "exclude each other"),
        (["run-a", "--json", "--markdown"], "exclude each other"),
    ],
)
def test_what_is_wrong_is_told(runs_dir, arguments, text):
    result = call(command, runs_dir, *arguments)
    assert result.exit_code != 0
    assert text in (result.stderr or "") + str(result.exception)


def test_names_from_elsewhere_do_not_reach_the_terminal_s_controls(tmp_path):
    for seed in (1, 2):
        write_run(tmp_path, "a", seed, [{"total_loss": 1.0}], name="a\x1b[2Jb")
    assert "\x1b" not in call(command, tmp_path, uid("a", 1), uid("a", 2)).stdout
