import pytest

from jaxpot.cli.plot import report_command as command
from tests.cli.runs import call, two_runs

UIDS = ("20261122-101530-aaaaaa", "20261122-111530-bbbbbb")


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    two_runs(folder)
    return folder


def test_a_report_is_written_and_written_over(runs_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        result = call(command, runs_dir, UIDS[0])
        assert result.exit_code == 0, result.exception
        assert result.stdout == f"report-{UIDS[0]}.html\n"
    assert [path.name for path in tmp_path.iterdir()] == [f"report-{UIDS[0]}.html"]
    assert call(command, runs_dir, *UIDS).stdout == "report.html\n"


def test_another_file_is_not_written_over_but_by_force(runs_dir, tmp_path):
    target = tmp_path / "mine.html"
    target.write_text("mine")
    result = call(command, runs_dir, UIDS[0], "-o", str(target))
    assert "is not a report of jaxpot; --force replaces it" in str(result.exception)
    assert target.read_text() == "mine"
    assert call(command, runs_dir, UIDS[0], "-o", str(target), "--force").exit_code == 0
    assert target.stat().st_size > 500_000
