"""`jaxpot plot` and `jaxpot report`."""

import pytest

from jaxpot.cli.plot import plot_command, report_command
from tests.cli.runs import call, two_runs
from tests.views.runs import uid, write_run


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in range(2):
        rows = [{"total_loss": 1 / (i + 1) + seed, "grad_norm": 2.0} for i in range(40)]
        rows[7]["total_loss"] = "NaN"
        write_run(folder, "a", seed, rows, name="ttt")
    return folder


def test_in_a_pipe_the_picture_is_plain(runs_dir, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    result = call(plot_command, runs_dir, "ttt", "-k", "*", "--separate")
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert max(map(len, lines)) <= 50
    assert [line for line in lines if line in ("iter", "total_loss", "grad_norm")] == [
        *("iter", "total_loss", "grad_norm")
    ]
    assert "* ttt seed 1" in lines
    assert "1 of 40 points cannot be drawn" in result.stderr


def test_seeds_are_one_curve(runs_dir):
    result = call(plot_command, runs_dir, "ttt", "-k", "total_loss", "--log-y", "--smooth", "3")
    assert "━ ttt (2 seeds)" in result.stdout


@pytest.mark.parametrize(
    ("name", "start"),
    [("x.PNG", b"\x89PNG"), ("x.svg", b"<svg"), ("x.html", b"<!DOCTYPE html>")],
)
def test_files_by_their_names(runs_dir, tmp_path, name, start):
    target = tmp_path / name
    result = call(plot_command, runs_dir, "ttt", "-k", "*_loss", "-o", str(target))
    assert result.exit_code == 0, result.exception
    assert result.stdout == ""
    assert target.read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert f"{name}: 1 chart of 1 curve\n" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["ttt", "-k", "total_los"], "did you mean 'total_loss'"),
        (["ttt", "-k", "total_loss", "-o", "x.jpeg"], "the name must end in .png, .svg or .html"),
        (["ttt", "-k", "total_loss", "-x", "samples"], "needs 'iteration/num_samples'"),
        (["ttt", "-k", "iteration/sps"], "iteration/sps: no points are recorded yet"),
        (["ttt", "-k", "total_loss", "-o", "/nowhere/x.svg"], "/nowhere/x.svg: cannot be written"),
        (["nobody", "-k", "total_loss"], "no run in"),
        ([uid("a", 0)], "Missing option '-k'"),
    ],
)
def test_what_is_wrong_is_told(runs_dir, arguments, text):
    result = call(plot_command, runs_dir, *arguments)
    assert result.exit_code != 0
    assert text in (result.stderr or "") + str(result.exception)


UIDS = ("20261122-101530-aaaaaa", "20261122-111530-bbbbbb")


@pytest.fixture(scope="module")
def two_recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    two_runs(folder)
    return folder


def test_a_report_is_written_and_written_over(two_recorded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        result = call(report_command, two_recorded, UIDS[0])
        assert result.exit_code == 0, result.exception
        assert result.stdout == f"report-{UIDS[0]}.html\n"
    assert [path.name for path in tmp_path.iterdir()] == [f"report-{UIDS[0]}.html"]
    assert call(report_command, two_recorded, *UIDS).stdout == "report.html\n"


def test_another_file_is_not_written_over_but_by_force(two_recorded, tmp_path):
    target = tmp_path / "mine.html"
    target.write_text("mine")
    result = call(report_command, two_recorded, UIDS[0], "-o", str(target))
    assert "is not a report of jaxpot; --force replaces it" in str(result.exception)
    assert target.read_text() == "mine"
    assert call(report_command, two_recorded, UIDS[0], "-o", str(target), "--force").exit_code == 0
    assert target.stat().st_size > 500_000
