"""The commands on real runs: small ones, in this process."""

import contextlib
import io
import json

import pytest

from jaxpot.cli.main import invoke

SPEC = """
name = "tiny"
iterations = 2
seed = 5
env = { kind = "pgx", id = "tic_tac_toe" }
model = { kind = "mlp", hidden_dims = [8] }
algorithm = { kind = "ppo", batch_size = 16 }
collect = { num_steps = 9, selfplay = { num_envs = 4 } }
runtime = { profile_every = 0 }
[[expect]]
metric = "total_loss"
max = -1000.0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("end_to_end")
    (folder / "tiny.toml").write_text(SPEC)
    return folder


def ask(folder, *arguments):
    """Run a command with `--json`; return its exit status and its answer."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = invoke(["--runs-dir", str(folder / "runs"), *arguments, "--json"])
    return code, json.loads(out.getvalue())


@pytest.fixture(scope="module")
def answers(folder):
    """Return a run that was stopped half way, its resume, and the same run without a stop."""
    spec = str(folder / "tiny.toml")
    stopped = ask(folder, "run", spec, "--iterations", "1", "--quiet")
    resumed = ask(folder, "resume", stopped[1]["run"], "--quiet")
    whole = ask(folder, "run", spec, "--quiet", "--name", "whole")
    return {"stopped": stopped, "resumed": resumed, "whole": whole}


def test_shortened_run_stops_unjudged(answers, folder):
    code, answer = answers["stopped"]
    assert (code, answer["status"], answer["iterations"], answer["attempt"]) == (0, "stopped", 1, 1)
    (gate,) = answer["expect"]
    assert set(gate) == {
        *("metric", "at", "min", "max", "seeds", "statistic"),
        *("value", "standard_error", "runs", "judged", "passed"),
    }
    assert gate["judged"] is False
    assert len(answer["digest"]) == 16
    assert answer["metrics"]["iter"] == 0
    assert (folder / "runs" / answer["checkpoint"]).is_dir()


def test_resumed_run_misses_its_gate(answers):
    code, answer = answers["resumed"]
    assert answer["run"] == answers["stopped"][1]["run"]
    assert (code, answer["status"]) == (1, "gate_missed")
    assert (answer["iterations"], answer["attempt"]) == (2, 2)
    assert answer["expect"][0]["judged"] is True
    assert answer["expect"][0]["passed"] is False


def test_whole_run_has_the_same_digest(answers):
    code, answer = answers["whole"]
    resumed = answers["resumed"][1]
    assert (code, answer["name"]) == (1, "whole")
    assert answer["digest"] == resumed["digest"]
    assert answer["metrics"]["total_loss"] == resumed["metrics"]["total_loss"]


@pytest.mark.usefixtures("answers")
def test_store_answers_about_both(folder):
    query = "select name, status, iterations, attempts from runs order by name"
    assert ask(folder, "sql", query) == (
        0,
        [
            {"name": "tiny", "status": "gate_missed", "iterations": 2, "attempts": 2},
            {"name": "whole", "status": "gate_missed", "iterations": 2, "attempts": 1},
        ],
    )


def test_unknown_run_is_the_user_s_mistake(folder, capsys):
    assert invoke(["--runs-dir", str(folder / "runs"), "resume", "nothing"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")


def test_plan_and_keys(folder, capsys):
    assert invoke(["plan", str(folder / "tiny.toml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["iterations"] == 2
    assert invoke(["plan", str(folder / "tiny.toml"), "--mermaid"]) == 0
    assert capsys.readouterr().out.startswith("flowchart")
    assert invoke(["plan", str(folder / "tiny.toml"), "--json", "--mermaid"]) == 2
    capsys.readouterr()
    assert invoke(["keys", str(folder / "tiny.toml"), "--iterations", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["contract"], report["seed"]) == ("v1", 5)
    assert [each["iter"] for each in report["iterations"]] == [0, 1]
    assert invoke(["keys", str(folder / "tiny.toml"), "--iterations", "2"]) == 0
    assert "contract v1, seed 5" in capsys.readouterr().out
