"""`jaxpot rebuild`."""

from jaxpot.cli.database import rebuild_command as command
from jaxpot.errors import UserError
from jaxpot.store import Store
from tests.cli.runs import call, two_runs


def test_it_says_what_it_made(tmp_path):
    two_runs(tmp_path)
    done = call(command, tmp_path)
    assert (done.exit_code, done.stdout) == (0, "")
    said = done.stderr.splitlines()
    assert "skipped the damaged line at byte" in said[0]
    assert said[1].startswith(f"{tmp_path / 'jaxpot.duckdb'}: 2 runs, 116 points, in ")
    assert len(Store(tmp_path).runs()) == 2


def test_a_damaged_database(tmp_path):
    two_runs(tmp_path)
    (tmp_path / "jaxpot.duckdb").write_bytes(b"garbage")
    assert call(command, tmp_path).exit_code == 0
    assert len(Store(tmp_path).runs()) == 2


def test_without_runs(tmp_path):
    done = call(command, tmp_path / "none")
    assert isinstance(done.exception, UserError)
    assert not (tmp_path / "none").exists()
