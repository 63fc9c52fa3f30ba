import pytest

from jaxpot.views.groups import Difference, Run, grouped


def run(uid, *, seed=0, name="ttt", digest="d"):
    return Run(uid, name, "completed", 10, 1, seed, digest)


def members(groups):
    return [[one.uid for one in group.runs] for group in groups]


def test_seeds_of_one_training_are_one_group_in_the_order_of_their_seeds():
    runs = [run("b", seed=2), run("x", digest="other"), run("a", seed=1)]
    groups, left_out = grouped(runs)
    assert members(groups) == [["a", "b"], ["x"]]
    assert [group.label for group in groups] == ["ttt (2 seeds)", "ttt seed 0"]
    assert left_out == []


def test_of_runs_with_one_seed_the_newest_counts_and_the_others_are_named():
    groups, left_out = grouped([run("a1", seed=1), run("a2", seed=1), run("b", seed=2)])
    assert members(groups) == [["a2", "b"]]
    assert left_out == ["a1 is left out: a2 is newer and has its seed"]


def test_runs_that_all_have_one_seed_stay_apart():
    groups, left_out = grouped([run("run-aaaaaa"), run("run-bbbbbb")])
    assert members(groups) == [["run-aaaaaa"], ["run-bbbbbb"]]
    assert [group.label for group in groups] == ["ttt seed 0 aaaaaa", "ttt seed 0 bbbbbb"]
    assert left_out == []


def test_labels_are_told_apart_whatever_the_uids_are():
    groups, _ = grouped([run("one-aaaaaa"), run("two-aaaaaa")])
    labels = [group.label for group in groups]
    assert labels == ["ttt seed 0 aaaaaa one-aaaaaa", "ttt seed 0 aaaaaa two-aaaaaa"]


@pytest.mark.parametrize("lacking", [{"digest": None}, {"seed": None}])
def test_a_run_of_unknown_training_or_seed_stays_alone(lacking):
    assert members(grouped([run("a", **lacking), run("b", seed=2)])[0]) == [["a"], ["b"]]


def test_separate_takes_every_run_by_itself():
    assert len(grouped([run("a", seed=1), run("b", seed=2)], separate=True)[0]) == 2


def test_groups_of_one_name_are_told_apart_by_their_specs():
    runs = [run("a"), run("b", digest="e")]
    found = [
        Difference("optimizer.learning_rate", {"a": "0.1", "b": "0.2"}),
        Difference("iterations", {"a": "10", "b": "20"}),
    ]
    labels = [group.label for group in grouped(runs, found)[0]]
    assert labels == ["ttt learning_rate=0.1 seed 0", "ttt learning_rate=0.2 seed 0"]
