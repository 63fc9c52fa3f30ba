"""Gates and `best` name metrics that are emitted when they look."""

import pytest

from jaxpot.spec import Best, Checkpoint, PayloadKey, best_cadence
from jaxpot.spec.structure import structure
from tests.spec.specs import FULL, SMALL, changed


def faults_of(data, import_user_code=False):
    return [str(fault) for fault in structure(data, import_user_code=import_user_code)[1]]


def gate(**table):
    return faults_of(changed(FULL, ("expect",), [table]))


GATES = {
    "misspelt": {"metric": "eval_vs_random/winrate", "min": 0},
    "nothing like it": {"metric": "zzz", "min": 0},
    "of an evaluator that is not there": {"metric": "eval_x/win_rate", "min": 0},
    "after the window": {"metric": "train_vs_random/reward", "min": 0},
    "between evaluations": {"metric": "eval_tree/won", "at": 98, "min": 0},
    "after the end": {"metric": "policy_loss", "at": 300, "min": 0},
    "never timed": {"metric": "timings/training", "at": "any", "min": 0},
    "no bound": {"metric": "policy_loss"},
    "no room": {"metric": "policy_loss", "min": 1, "max": 0.5},
    "best of two bounds": {"metric": "policy_loss", "at": "best", "min": 0, "max": 1},
    "negative iteration": {"metric": "policy_loss", "at": -1, "min": 0},
    "before the league has an entry": {"metric": "train_vs_league/reward", "at": 50, "min": 0},
    "before the archive has an entry": {"metric": "eval_archive/win_rate", "at": 89, "min": 0},
    "whatever is forgotten at the end": {"metric": "train_vs_archive/reward", "min": 0},
    "whatever is forgotten then": {"metric": "train_vs_archive/reward", "at": 200, "min": 0},
    "of an opponent that has no elo": {"metric": "eval_archive/elo", "min": 0},
    "a statistic of one run": {"metric": "policy_loss", "min": 0, "statistic": "max"},
    "any of several seeds": {"metric": "policy_loss", "at": "any", "min": 0, "seeds": 5},
    "no seeds": {"metric": "policy_loss", "min": 0, "seeds": 0},
    "no such statistic": {"metric": "policy_loss", "min": 0, "seeds": 5, "statistic": "mode"},
    "two at once": {"metric": "polcy_loss", "min": 1, "max": 0},
}


def test_gates(snapshot):
    assert {name: gate(**table) for name, table in GATES.items()} == snapshot


@pytest.mark.parametrize(
    "table",
    [
        {"metric": "eval_vs_random/p1/done_rate", "min": 1},
        {"metric": "eval_tree/p0/lost", "at": 299, "max": 0},
        {"metric": "train_vs_random/reward", "at": 49, "min": -1},
        {"metric": "timings/eval_tree", "at": "any", "max": 60},
        {"metric": "iteration/sps", "at": "best", "min": 1},
        {"metric": "iteration/active_archive_size", "min": 1},
        {"metric": "train_vs_league/reward", "at": 51, "min": 0},
        {"metric": "train_vs_archive/reward", "at": "any", "min": 0},
        {"metric": "train_vs_archive/reward", "at": "best", "max": 1},
        {"metric": "eval_archive/win_rate", "at": 149, "min": 0},
        {"metric": "eval_archive/p1/win_rate", "min": 0},
        {"metric": "eval_rival/elo", "min": 0},
        {"metric": "policy_loss", "at": 0, "min": 1, "max": 1},
    ],
)
def test_gates_that_hold_water(table):
    assert gate(**table) == []


BESTS = {
    "unknown": {"metric": "eval_tree/los"},
    "at another cadence": {"metric": "eval_tree/lost", "every": 70},
    "never": {"metric": "eval_tree/lost", "every": 301},
    "the archive at another cadence": {"metric": "eval_archive/win_rate", "every": 11},
}


@pytest.mark.parametrize(
    "table",
    [
        {"metric": "eval_archive/win_rate"},
        {"metric": "train_vs_archive/reward"},
        {"metric": "train_vs_league/reward", "every": 7},
        {"metric": "iteration/league_size"},
        {"metric": "eval_rival/elo", "mode": "min"},
    ],
)
def test_bests_that_hold_water(table):
    assert faults_of(changed(FULL, ("checkpoint", "best"), table)) == []


def test_bests(snapshot):
    found = {
        name: faults_of(changed(FULL, ("checkpoint", "best"), table))
        for name, table in BESTS.items()
    }
    data = changed(FULL, ("checkpoint",), {"every": "none", "best": {"metric": "policy_loss"}})
    found["without a cadence"] = faults_of(data)
    data = changed(FULL, ("checkpoint", "best"), {"metric": "train_vs_archive/reward"})
    found["before the archive is played"] = faults_of(changed(data, ("iterations",), 100))
    found["shorter than the cadence"] = faults_of(changed(FULL, ("iterations",), 60))
    assert found == snapshot


def test_what_was_refused_emits_what_nobody_knows():
    data = changed(FULL, ("eval", "tree", "every"), 0)
    assert [text.partition(":")[0] for text in faults_of(data)] == ["eval.tree.every"]
    data = changed(FULL, ("eval", "tree"), {"kind": "my.evaluators:Elo", "every": 5})
    assert faults_of(data) == []


def test_a_collector_that_lacks_a_league_emits_what_nobody_knows():
    gates = [
        {"metric": metric, "min": 0}
        for metric in (
            "train_vs_league/reward",
            "train_vs_archive/reward",
            "iteration/league_size",
            "iteration/active_archive_size",
            "eval_archive/win_rate",
        )
    ]
    data = changed(changed(FULL, ("league",), "none"), ("expect",), gates)
    assert {text.partition(":")[0] for text in faults_of(data)} == {
        "collect.league",
        "collect.archive",
        "eval.archive",
    }
    data = changed(changed(SMALL, ("expect",), gates[:1]), ("collect", "league"), "none")
    assert "nothing emits" in faults_of(data)[0]
    data = changed(changed(FULL, ("league", "size"), 0), ("expect",), gates)
    assert [text.partition(":")[0] for text in faults_of(data)] == ["league.size"]


def test_a_users_evaluator_declares_its_keys():
    ladder = {"kind": "tests.spec.own_parts:Ladder", "every": 50}
    data = changed(FULL, ("eval", "ladder"), ladder)
    data = changed(data, ("expect",), [{"metric": "eval_ladder/elo", "min": 0}])
    assert faults_of(data, import_user_code=True) == []
    data = changed(data, ("expect",), [{"metric": "eval_ladder/eol", "min": 0}])
    (fault,) = faults_of(data, import_user_code=True)
    assert "did you mean 'eval_ladder/elo'?" in fault


def test_the_cadence_of_best():
    def cadence(phase, **best):
        key = PayloadKey(name="x", dtype="float", unit="", doc="", phase=phase, every=7)
        return best_cadence(Checkpoint(every=20, best=Best(metric="x", **best)), key)

    assert cadence("eval_a", every=3) == 3
    assert cadence("eval_a") == 7
    assert cadence("training") == 20
