"""`jaxpot expect`, and the output of `jaxpot run --seeds`."""

import json

import pytest

from jaxpot.cli.main import invoke
from tests.store.test_gates import METRIC, NAN, write_run

GATES = [
    {"metric": METRIC, "at": "best", "min": 0.5},
    {"metric": METRIC, "seeds": 2, "max": 0.5},
    {"metric": METRIC, "seeds": 2, "statistic": "max", "max": 0.5},
]
VALUES = {1: [0.5, NAN, 0.5, 0.25], 2: [0.75] * 4}
SPEC = f"""
name = "tiny"
iterations = 2
seed = 5
env = {{ kind = "pgx", id = "tic_tac_toe" }}
model = {{ kind = "mlp", hidden_dims = [8] }}
algorithm = {{ kind = "ppo", batch_size = 16 }}
collect = {{ num_steps = 9, selfplay = {{ num_envs = 4 }} }}
runtime = {{ profile_every = 0 }}
eval.vs_random = {{ kind = "random", every = 2, num_games = 4 }}
[[expect]]
metric = "{METRIC}"
max = 1.0
seeds = 2
[[expect]]
metric = "{METRIC}"
min = 2.0
"""


@pytest.fixture
def ask(tmp_path, capsys, monkeypatch):
    """Run a command; return its exit status and its output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JAXPOT_RUNS_DIR", raising=False)

    def ask(*arguments):
        code = invoke(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return ask


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    return [
        write_run(folder, values, seed=seed, number=seed, iterations=4, expect=GATES)
        for seed, values in VALUES.items()
    ]


def test_table(ask, runs, snapshot):
    code, out, err = ask("expect", runs[0].uid)
    assert (code, err) == (1, "")
    assert out == snapshot


def test_json(ask, runs, snapshot):
    code, out, err = ask("expect", "ttt", "--json")
    assert (code, err) == (1, "")
    assert json.loads(out) == snapshot


def test_nothing_is_written_into_the_run(ask, runs):
    before = runs[0].path.read_bytes()
    ask("expect", runs[0].uid)
    assert runs[0].path.read_bytes() == before


def test_a_run_that_passes_and_one_that_waits(ask, tmp_path):
    folder, values = tmp_path / "runs", [0.5] * 4
    write_run(folder, values, seed=1, number=1, iterations=4, expect=GATES[:1])
    assert ask("expect", "latest")[0] == 0
    write_run(folder, values, number=2, iterations=4, expect=GATES, training_digest="other")
    code, out, _ = ask("expect", "latest")
    assert (code, out.count("not judged, needs 2 seeds")) == (1, 2)
    write_run(folder, values, number=3, status="stopped", expect=GATES[:1])
    code, out, _ = ask("expect", "latest")
    assert (code, out.splitlines()[1].endswith("not judged")) == (1, True)


def test_gates_of_another_spec(ask, runs, tmp_path):
    (tmp_path / "other.toml").write_text(SPEC)
    code, out, _ = ask("expect", "latest", "--spec", "other.toml", "--json")
    found = json.loads(out)
    assert code == 1
    assert [(gate["value"], gate["passed"]) for gate in found["expect"]] == [
        (0.5, True),
        (0.75, False),
    ]
    (tmp_path / "other.toml").write_text(SPEC.partition("[[expect]]")[0])
    code, _, err = ask("expect", "latest", "--spec", "other.toml")
    assert (code, err) == (
        2,
        "error: other.toml has no gates: there is no [[expect]] in its spec\n",
    )
    code, _, err = ask("expect", "latest", "--spec", "nowhere.toml")
    assert (code, "nowhere.toml" in err) == (2, True)


def test_what_is_not_there(ask, tmp_path):
    code, _, err = ask("expect", "latest")
    assert (code, err.startswith("error: there is no run")) == (2, True)
    run = write_run(tmp_path / "runs", [0.5] * 6, expect=[])
    code, _, err = ask("expect", "latest")
    assert (code, err) == (
        2,
        f"error: run {run.uid} has no gates: there is no [[expect]] in its spec\n",
    )


def test_show_has_what_was_judged_of_all_seeds(ask, runs):
    gate = {**GATES[1], "at": "last", "min": None, "statistic": "mean"}
    runs[0].event("expect", {**gate, "value": 0.25, "judged": False, "passed": None})
    assert "not judged, needs 2 seeds" in ask("show", runs[0].uid)[1]
    values = [{"run": run.uid, "seed": 0, "value": 0.5} for run in runs]
    judged = {"value": 0.5, "standard_error": 0.25, "runs": values, "judged": True, "passed": True}
    runs[0].event("expect", {**gate, **judged})
    out = ask("show", runs[0].uid)[1]
    assert "not judged" not in out
    assert "mean of 2 seeds  0.5 \u00b1 0.25  passed" in out


@pytest.mark.slow
def test_seeds_end_to_end(ask, tmp_path):
    (tmp_path / "tiny.toml").write_text(SPEC)
    code, out, err = ask("run", "tiny.toml", "--seeds", "2", "--json")
    assert code == 1
    assert "seed 6: run 2 of 2" in err
    answer = json.loads(out.splitlines()[-1])
    assert (answer["status"], answer["seeds"]) == ("gate_missed", [5, 6])
    assert [(run["seed"], run["status"]) for run in answer["runs"]] == [
        (5, "gate_missed"),
        (6, "gate_missed"),
    ]
    (gate,) = answer["expect"]
    assert (gate["judged"], gate["passed"]) == (True, True)
    assert answer["metrics"][METRIC]["mean"] == gate["value"]
    code, out, _ = ask("expect", answer["runs"][0]["run"], "--json")
    assert (code, json.loads(out)["expect"][0]) == (1, gate)
    code, out, _ = ask(
        "sql", "select seed, value, passed from gates where seeds = 2 order by seed", "--json"
    )
    assert json.loads(out) == [
        {"seed": seed, "value": gate["value"], "passed": True} for seed in (5, 6)
    ]
