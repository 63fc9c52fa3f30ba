"""An evaluator that plays a checkpoint of another run: in the loop, resumed, and from the CLI."""

import math
from pathlib import Path

import pytest

from jaxpot.cli.main import invoke
from jaxpot.errors import UserError
from jaxpot.loop.run import resume
from jaxpot.spec import resolved, to_toml
from tests.loop.running import events, rows, trace, train
from tests.tiny import tiny_experiment

NONE = {"tree": None, "vs_random": None}
ALONE = {"collect": {"random": None}}
"""One regime: each costs a compile."""
EVALUATOR = {"kind": "checkpoint", "every": 2, "num_games": 16, "run": "old"}


def old_run(runs_dir, *, seed=1, **changes):
    fixed = {"name": "old", "seed": seed, "iterations": 4, "eval": NONE, "overrides": ALONE}
    experiment = tiny_experiment(**fixed, **changes)
    return train(experiment, runs_dir)


def against_old(**options):
    evaluators = {**NONE, "old": {**EVALUATOR, **options}}
    return tiny_experiment(eval=evaluators, iterations=6, overrides=ALONE)


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A folder with a run of another architecture, done."""
    runs_dir = tmp_path_factory.mktemp("runs")
    return runs_dir, old_run(runs_dir, model={"kind": "mlp", "hidden_dims": [4, 4]})


def test_the_opponent_is_recorded_and_training_does_not_notice(old, tmp_path, compiles):
    runs_dir, opponent = old
    without = train(tiny_experiment(eval=NONE, iterations=6, overrides=ALONE), tmp_path)
    compiles.clear()
    result = train(against_old(), runs_dir)
    assert compiles.count("eval_old") == 1
    digests = [[row[:2] for row in trace(each)] for each in (result, without)]
    assert digests[0] == digests[1]
    (event,) = events(result, "opponent")
    assert event == {
        "evaluator": "eval_old",
        "run": opponent.uid,
        "checkpoint": f"{opponent.uid}/checkpoints/000004",
        "iteration": 4,
        "sha256": event["sha256"],
    }
    for t, row in enumerate(rows(result)):
        found = {key: value for key, value in row.items() if key.startswith("eval_old/elo")}
        assert (set(found) == {"eval_old/elo", "eval_old/elo_stderr"}) == ((t + 1) % 2 == 0)
    last = rows(result)[-1]
    score = last["eval_old/win_rate"] + last["eval_old/draw_rate"] / 2
    assert last["eval_old/elo"] == pytest.approx(400 * math.log10(score / (1 - score)), abs=0.01)


@pytest.mark.usefixtures("shared_programs")
def test_a_resumed_run_plays_the_opponent_that_it_began_with(tmp_path):
    first = old_run(tmp_path)
    whole = train(against_old(), tmp_path)
    stopped = train(against_old(), tmp_path, iterations=3)
    later = old_run(tmp_path, seed=2)
    result = resume(tmp_path, stopped.uid, ingest=False)
    assert trace(result) == trace(whole)
    assert [event["run"] for event in events(result, "opponent")] == [first.uid, first.uid]
    fresh = train(against_old(), tmp_path, iterations=2)
    assert events(fresh, "opponent")[0]["run"] == later.uid
    for path in (first.run_dir / "checkpoints").iterdir():
        path.rename(tmp_path / f"gone-{path.name}")
    with pytest.raises(UserError, match="which is gone or holds other"):
        resume(tmp_path, whole.uid, iterations=8, ingest=False)


def test_check_and_plan_look_the_opponent_up(old, tmp_path, capsys):
    runs_dir, _ = old
    spec = tmp_path / "spec.toml"
    spec.write_text(to_toml(resolved(against_old())))
    given = ["--runs-dir", str(runs_dir)]
    assert invoke(["check", str(spec)]) == 0
    assert invoke(["check", str(spec), "--shapes", *given]) == 0
    assert invoke([*given, "plan", str(spec)]) == 0
    assert "eval_old/elo" in capsys.readouterr().out
    empty = Path(tmp_path / "empty")
    line = 1 + spec.read_text().splitlines().index("[eval.old]")
    fault = f"eval.old.run: there is no run in {empty}; allowed: another run [opponent-missing]"
    for command in (["check", str(spec), "--shapes"], ["plan", str(spec)], ["run", str(spec)]):
        assert invoke([*command, "--runs-dir", str(empty)]) == 2
        (reported,) = [text for text in capsys.readouterr().err.splitlines() if fault in text]
        place, _, _ = reported.partition(": ")
        assert int(place.rpartition(":")[2]) > line
    assert not empty.exists() or list(empty.iterdir()) == []


def test_an_opponent_of_another_game_is_refused(old, tmp_path, capsys):
    runs_dir, opponent = old
    spec = tmp_path / "spec.toml"
    other = tiny_experiment(
        env={"kind": "pgx", "id": "connect_four"},
        eval={**NONE, "old": EVALUATOR},
    )
    spec.write_text(to_toml(resolved(other)))
    assert invoke(["check", str(spec), "--shapes", "--runs-dir", str(runs_dir)]) == 2
    assert (
        f"eval.old.run: run {opponent.uid} plays another game: its env.id is 'tic_tac_toe', "
        "this spec's is 'connect_four'; allowed: a run of this game [opponent-mismatch]"
    ) in capsys.readouterr().err
