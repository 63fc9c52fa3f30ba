"""Gates of real runs: what they make of a run's status. `tests/store/test_gates.py` judges more."""

from jaxpot.loop import run as runner
from jaxpot.loop.result import reason_of, status_of
from jaxpot.store import Store
from jaxpot.store.gates import judge_recorded
from tests.loop.running import events, train
from tests.tiny import tiny_experiment

IMPOSSIBLE = {"metric": "eval_vs_random/win_rate", "min": 1.0}


def test_a_missed_gate_is_the_runs_status_and_exit_code(tmp_path, shared_programs):
    impossible = tiny_experiment(expect=[IMPOSSIBLE], iterations=4)
    result = train(impossible, tmp_path)
    assert (result.status, result.exit_code) == ("gate_missed", 1)
    assert result.metrics["iter"] == 3
    shortened = train(impossible, tmp_path, iterations=2)
    assert (shortened.status, shortened.exit_code) == ("stopped", 0)
    assert shortened.expect[0]["judged"] is False


def test_the_store_repeats_what_the_run_judged(tmp_path, shared_programs):
    gates = [
        IMPOSSIBLE,
        {"metric": "total_loss", "at": "best", "max": 1e9},
        {"metric": "policy_loss", "at": 2, "min": -1e9, "max": 1e9},
        {"metric": "train_vs_random/reward", "at": "any", "min": -2.0},
        {"metric": "num_episodes", "min": 1},
        {"metric": "total_loss", "seeds": 2, "max": 1e9},
    ]
    experiment = tiny_experiment(expect=gates, iterations=4)
    result = train(experiment, tmp_path, iterations=2)
    resumed = runner.resume(tmp_path, result.uid, ingest=False)
    assert [gate["passed"] for gate in resumed.expect] == [False, True, True, True, True, None]
    assert resumed.status == "gate_missed"
    with Store(tmp_path).reading() as connection:
        assert judge_recorded(connection, result.uid) == resumed.expect
    # Each attempt recorded its own; the view and `show` have the newest one's.
    assert events(result, "expect")[6:] == resumed.expect
    assert Store(tmp_path).describe(result.uid)["expect"] == resumed.expect
    _, rows = Store(tmp_path).sql("SELECT metric, value, passed FROM gates ORDER BY time")
    assert rows == [(gate["metric"], gate["value"], gate["passed"]) for gate in resumed.expect]
    # A run with nothing left to do is judged again, to the same verdicts.
    again = runner.resume(tmp_path, result.uid, ingest=False)
    assert (again.attempt, again.expect) == (2, resumed.expect)


def test_a_gate_that_is_not_judged_is_not_missed():
    waiting = [{"judged": False, "passed": None}]
    assert status_of(waiting, complete=True) == "completed"
    assert reason_of("completed", 4, 4, waiting) == (
        "all 4 iterations are done; a gate waits for runs of other seeds"
    )
    assert "2 gates wait" in reason_of("completed", 4, 4, waiting * 2)
    assert status_of([*waiting, {"judged": True, "passed": False}], complete=True) == "gate_missed"
