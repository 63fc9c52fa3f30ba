"""Commands whose standard streams are closed, full, or not read."""

import os
import select
import subprocess
import sys

import pytest

from jaxpot.cli.descriptors import LossyFile

pytestmark = pytest.mark.slow

SPEC = """
name = "tiny"
iterations = 1
env = { kind = "pgx", id = "tic_tac_toe" }
model = { kind = "mlp", hidden_dims = [4] }
algorithm = { kind = "ppo", num_epochs = 1, batch_size = 16 }
collect = { num_steps = 4, selfplay = { num_envs = 4 } }
checkpoint = { every = "none" }
"""
JAXPOT = f"{sys.executable} -m jaxpot.cli.main"


@pytest.fixture
def shell(tmp_path):
    """Run a shell command line with this `jaxpot`; return its status and streams."""
    (tmp_path / "tiny.toml").write_text(SPEC)
    (tmp_path / "bad.toml").write_text("nonsense = 1")

    def run(line, cwd=tmp_path):
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line.replace('jaxpot', JAXPOT)}"],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.mark.parametrize(
    ("line", "code", "out", "err"),
    [
        ("jaxpot check tiny.toml >&-", 0, "", ""),
        ("jaxpot check tiny.toml 2>&-", 0, "tiny.toml: ok", ""),
        ("jaxpot check tiny.toml <&- >&- 2>&-", 0, "", ""),
        ("jaxpot check bad.toml 2>/dev/full", 2, "", ""),
        ("jaxpot check bad.toml 2>&-", 2, "", ""),
        ("jaxpot check tiny.toml >/dev/full", 1, "", "error: output: No space left on device\n"),
        ("jaxpot --help >/dev/full", 1, "", "error: output: No space left on device\n"),
        ("jaxpot schema | true", 141, "", ""),
        ("jaxpot sql 'select 1' <&-", 0, "1", ""),
    ],
)
def test_a_stream_that_is_closed_or_full(shell, line, code, out, err):
    done = shell(line)
    assert (done.returncode, done.stderr) == (code, err)
    assert done.stdout.lstrip().startswith(out)


@pytest.mark.parametrize(
    ("streams", "code"), [("2>/dev/full", 0), ("<&- >&- 2>&-", 0), (">/dev/full", 1)]
)
def test_a_run_is_recorded_whatever_its_streams_are(shell, tmp_path, streams, code):
    done = shell(f"jaxpot run tiny.toml {streams}")
    assert done.returncode == code
    (journal,) = tmp_path.glob("runs/2*/journal.jsonl")
    lines = journal.read_text().splitlines()
    assert all(line.startswith("{") and line.endswith("}") for line in lines)
    assert '"status":"completed"' in lines[-1]


def test_a_failed_run_keeps_its_status_where_the_output_is_full(shell):
    gate = '-s \'expect=[{metric="total_loss", at="last", max=-100.0}]\''
    done = shell(f"jaxpot run tiny.toml --quiet {gate} 2>&1 | true")
    assert done.returncode == 1


def test_a_working_directory_that_is_gone_is_one_line(shell, tmp_path):
    for command in ("ls", "check /tiny.toml", "run /tiny.toml"):
        gone = tmp_path / "gone"
        gone.mkdir()
        done = shell(f"rmdir {gone}; jaxpot {command} 2>&1", cwd=gone)
        assert done.returncode == 2
        assert done.stdout.splitlines()[-1].startswith("error: the working directory is gone")
        assert "Traceback" not in done.stdout


def test_what_a_pipe_does_not_take_in_time_is_dropped(monkeypatch):
    monkeypatch.setattr("jaxpot.cli.descriptors._WAIT_SECONDS", 0.01)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with LossyFile(writer, "wb") as file:
        while select.select([], [file], [], 0)[1]:
            assert file.write(b"x" * 4096) == 4096
        assert file.write(b"dropped") == 7
        os.close(reader)
        assert file.write(b"nobody reads") == 12
