import math
import statistics

import pytest

from jaxpot.errors import UserError
from jaxpot.store import Store
from jaxpot.views.compare import chosen_keys, compare, default_keys, sense_of
from jaxpot.views.tables import comparison_record, lead_words, letters, tables
from tests.store.journals import Writer
from tests.views.runs import FAST, SLOW, uid, write_run

SEEDS = range(4)


def loss(letter, seed, iteration):
    return (2.0 if letter == "a" else 1.5) / (iteration + 1) + 0.1 * seed


def rows(letter, seed, count=10):
    found = []
    for i in range(count):
        row = {"total_loss": loss(letter, seed, i), "grad_norm": 1.0 + seed}
        if i % 5 == 4:
            row["eval_vs_random/win_rate"] = 0.5 + 0.05 * i - 0.01 * seed
        found.append(row)
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in SEEDS:
        write_run(folder, "a", seed, rows("a", seed))
        write_run(folder, "b", seed, rows("b", seed, 12), digest=FAST, rate=1e-2)
    return Store(folder)


def every(*letters):
    return [uid(letter, seed) for letter in letters for seed in SEEDS]


def compared(store, uids, **options):
    with store.reading() as connection:
        return compare(connection, uids, **options)


def key(found, name):
    return next(one for one in found.keys if one.key == name)


def test_groups_and_lead_are_what_plain_python_finds(store):
    found = compared(store, every("a", "b"), keys=["total_loss"], at=9)
    values = {letter: [loss(letter, seed, 9) for seed in SEEDS] for letter in "ab"}
    one = key(found, "total_loss")
    spreads = dict(zip("ab", one.spreads.values(), strict=True))
    for letter in "ab":
        mine = values[letter]
        assert spreads[letter].mean == pytest.approx(statistics.fmean(mine))
        expected = statistics.stdev(mine) / math.sqrt(len(mine))
        assert spreads[letter].standard_error == pytest.approx(expected)
    error = math.hypot(spreads["a"].standard_error, spreads["b"].standard_error)
    ratio = (statistics.fmean(values["b"]) - statistics.fmean(values["a"])) / error
    assert one.lead.welch.ratio == pytest.approx(ratio)
    assert one.lead.best == found.groups[1].label  # the lower loss
    assert lead_words(one.lead) == f"{found.groups[1].label} by {abs(ratio):.1f} se"


def test_last_best_and_an_iteration_choose_the_value(store):
    uids = every("a", "b")
    last = key(compared(store, uids), "eval_vs_random/win_rate").values[uid("b", 0)]
    assert last == (9, pytest.approx(0.95))
    best = key(compared(store, uids, at="best"), "total_loss").values[uid("b", 0)]
    assert best == (11, pytest.approx(loss("b", 0, 11)))
    before = key(compared(store, uids, at=7), "eval_vs_random/win_rate").values[uid("b", 0)]
    assert before == (4, pytest.approx(0.7))


def test_the_best_of_a_key_without_a_sense_is_not_told(store):
    found = compared(store, every("a", "b"), keys=["grad_norm", "total_loss"], at="best")
    assert [one.key for one in found.keys] == ["total_loss"]


def test_differences_are_those_of_the_specs(store):
    found = compared(store, [uid("a", 0), uid("b", 0)])
    assert found.differences == [
        ("optimizer.learning_rate", {uid("a", 0): "0.001", uid("b", 0): "0.01"})
    ]


def test_different_lengths_are_told_with_the_way_out(store):
    assert "from 10 to 12 iterations" in compared(store, every("a", "b")).notes[0]
    assert "--at 9" in compared(store, every("a", "b")).notes[0]
    assert compared(store, every("a")).notes == []
    short = compared(store, [uid("a", 0), uid("b", 0)], at=11).notes[0]
    assert uid("a", 0) in short
    assert uid("b", 0) not in short


def test_of_single_runs_nothing_is_said_beyond_their_values(store):
    found = compared(store, [uid("a", 0), uid("b", 0)])
    lead = key(found, "total_loss").lead
    assert lead.welch is None
    assert lead_words(lead).endswith("; n = 1")
    assert "chance" in found.notes[-1]


def test_a_key_of_no_sense_has_no_lead(store):
    found = compared(store, every("a", "b"), every=True)
    assert found.keys[0].key == "iter"
    assert lead_words(key(found, "grad_norm").lead) == ""


def test_tables_have_a_column_a_run_and_a_group(store):
    runs, specs, reached = tables(compared(store, every("a", "b")))
    assert len(runs.rows) == len(specs.headers) - 1 == 8
    assert len(reached.headers) == 4
    assert dict(zip(specs.headers, specs.rows[0], strict=True))["E"] == "0.01"
    alone = tables(compared(store, every("a")))[2]
    assert "ahead" not in alone.headers


def test_the_record_holds_everything(store):
    record = comparison_record(compared(store, every("a", "b"), keys=["total_loss"]))
    assert [group["seeds"] for group in record["groups"]] == [[0, 1, 2, 3]] * 2
    one = record["keys"][0]
    assert len(one["values"]) == 8
    assert one["welch"]["ratio"] < 0
    assert one["why"] is None


def test_values_that_are_not_finite_leave_no_lead(tmp_path):
    write_run(tmp_path, "a", 0, [{"total_loss": "NaN"}])
    write_run(tmp_path, "b", 0, [{"total_loss": 1.0}], digest=FAST)
    one = key(compared(Store(tmp_path), [uid("a", 0), uid("b", 0)]), "total_loss")
    assert math.isnan(one.spreads["ttt seed 0 aaaaaa"].mean)
    assert one.lead.best is None


def test_evaluators_that_are_set_otherwise_are_named(tmp_path):
    for letter, games in (("a", 16), ("b", 32)):
        spec = {"eval": {"vs_random": {"kind": "random", "num_games": games}}}
        write_run(tmp_path, letter, 0, [{"total_loss": 1.0}], spec=spec)
    notes = compared(Store(tmp_path), [uid("a", 0), uid("b", 0)]).notes
    assert any("eval.vs_random is not set alike" in note for note in notes)


def test_superseded_iterations_do_not_count(tmp_path):
    run = write_run(tmp_path, "a", 0, [{"total_loss": float(i)} for i in range(8)], end=False)
    run.start(4)
    run.record("payload", attempt=2, iter=4, values={"iter": 4, "total_loss": 40.0})
    one = key(compared(Store(tmp_path), [uid("a", 0)], at="best"), "total_loss")
    assert one.values[uid("a", 0)] == (0, 0.0)
    assert key(compared(Store(tmp_path), [uid("a", 0)]), "total_loss").values[uid("a", 0)] == (
        4,
        40,
    )


def test_a_run_that_is_not_in_the_database_is_named(store):
    with pytest.raises(UserError, match="20990101-000000-ffffff is not in the database"):
        compared(store, ["20990101-000000-ffffff"])


def test_a_run_without_any_iteration_compares_as_nothing(tmp_path):
    write_run(tmp_path, "a", 0, [{"total_loss": 1.0}])
    empty = Writer(tmp_path, uid("b", 0))
    empty.header(training_digest=SLOW)
    found = compared(Store(tmp_path), [uid("a", 0), uid("b", 0)])
    assert [one.values.keys() for one in found.keys if one.values] == [{uid("a", 0)}]


def test_letters_go_on_after_z():
    assert letters(28)[-3:] == ["Z", "A1", "B1"]


KEYS = [
    "iter",
    "iteration/sps",
    "total_loss",
    "value_loss",
    "grad_norm",
    "eval_vs_random/win_rate",
    "eval_vs_random/draw_rate",
    "eval_vs_random/p0/win_rate",
    "eval_tree/lost",
]


@pytest.mark.parametrize(
    ("key", "sense"),
    [
        ("eval_vs_random/win_rate", "up"),
        ("eval_vs_random/p1/lose_rate", "down"),
        ("value_loss", "down"),
        ("eval_tree/lost", "down"),
        ("iteration/sps", "up"),
        ("grad_norm", None),
        ("eval_vs_random/draw_rate", None),
    ],
)
def test_which_way_a_key_is_better(key, sense):
    assert sense_of(key) == sense


def test_what_is_compared_by_default():
    wanted = ["eval_vs_random/win_rate", "eval_tree/lost", "total_loss", "value_loss"]
    assert default_keys(KEYS) == [*wanted, "iteration/sps"]


def test_names_and_globs_choose_keys_once_each_in_their_order():
    found = chosen_keys(["value_loss", "*_loss", "eval_*/win_rate"], KEYS)
    wanted = ["value_loss", "total_loss", "eval_vs_random/win_rate"]
    assert found == [*wanted, "eval_vs_random/p0/win_rate"]


def test_a_key_with_brackets_is_found_by_its_name():
    assert chosen_keys(["a[0]"], ["a[0]", "a0"]) == ["a[0]"]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("total_los", "no key 'total_los'; did you mean 'total_loss'"),
        ("*/elo", "no key '*/elo'; there are iter, iteration/sps, total_loss"),
        ("tree", "no key 'tree'; did you mean 'eval_tree/lost'?"),
    ],
)
def test_an_unknown_key_names_the_nearest(pattern, text):
    with pytest.raises(UserError) as caught:
        chosen_keys([pattern], KEYS)
    assert str(caught.value).startswith(text)


def test_without_any_key_that_is_said():
    with pytest.raises(UserError, match="nothing is recorded yet"):
        chosen_keys(["total_loss"], [])


def test_keys_of_another_program_are_all_shown():
    assert default_keys(["loss/total", "acc"]) == ["loss/total", "acc"]
