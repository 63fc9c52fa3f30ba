"""The macros, against the same in Python."""

import math
from statistics import fmean

import pytest

from jaxpot.store import QueryError, Store
from tests.store.journals import KEYS, SPEC, START, Writer, complete_run
from tests.store.lab import lab

FIRST, SECOND = "20261122-101530-aaaaaa", "20261122-111530-bbbbbb"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Returns a store of a complete run, and of a newer one that was killed and resumed."""
    runs_dir = tmp_path_factory.mktemp("macros") / "runs"
    complete_run(runs_dir, FIRST)
    run = Writer(runs_dir, SECOND, name="other", start=START + 3600)
    optimizer = {"kind": "adamw", "learning_rate": 0.5}
    run.header(tags=["kept"], seed=7, spec={**SPEC, "name": "other", "optimizer": optimizer})
    run.start()
    for iteration in range(8):
        run.payload(iteration, {"total_loss": float(iteration), "iteration/sps": 10})
    run.clock += 500
    run.start(5)
    for iteration in range(5, 9):
        value = "NaN" if iteration == 7 else 100.0 + iteration
        run.payload(iteration, {"total_loss": value, "iteration/sps": 20})
    run.end()
    return Store(runs_dir)


@pytest.mark.parametrize(
    ("word", "uid"),
    [
        (FIRST, FIRST),
        ("latest", SECOND),
        ("ttt", FIRST),
        ("quickstart", FIRST),
        ("kept", SECOND),
        ("20261122-10", FIRST),
    ],
)
def test_a_word_for_a_run(store, word, uid):
    assert store.sql(f"SELECT run_uid('{word}')")[1] == [(uid,)]
    assert store.find(word).uid == uid
    assert store.sql(f"FROM series('{word}', 'total_loss') LIMIT 1")[1][0][0] == 0


@pytest.mark.parametrize(("word", "text"), [("nope", "no run is called"), ("2026", "start of 2")])
def test_a_word_for_no_run_is_an_error(store, word, text):
    for query in (f"SELECT run_uid('{word}')", f"FROM series('{word}', 'total_loss')"):
        with pytest.raises(QueryError, match=text):
            store.sql(query)


def test_a_macro_takes_columns(store):
    query = "SELECT uid, run_uid(uid), param(uid, 'optimizer.learning_rate') FROM runs ORDER BY uid"
    assert store.sql(query)[1] == [(FIRST, FIRST, "0.001"), (SECOND, SECOND, "0.5")]


def test_a_series_counts_what_counts(store):
    _, rows = store.sql(
        "SELECT iter, value, seconds, samples "
        "FROM series('other', 'total_loss', samples := 'iteration/sps')"
    )
    values = [0.0, 1.0, 2.0, 3.0, 4.0, 105.0, 106.0, math.nan, 108.0]
    assert [row[0] for row in rows] == list(range(9))
    assert str([row[1] for row in rows]) == str(values)
    # An attempt, the declaration of its keys, and then a second for each iteration; the second
    # attempt goes on where the first one's last iteration that counts was over.
    assert [row[2] for row in rows] == [2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 9.0, 10.0, 11.0]
    assert [row[3] for row in rows] == [10, 20, 30, 40, 50, 70, 90, 110, 130]


def test_samples_are_null_where_nothing_counts_them(store):
    _, rows = store.sql("SELECT DISTINCT samples FROM progress('latest')")
    assert rows == [(None,)]


def test_smooth_is_a_mean_of_the_last_finite_values(store):
    _, rows = store.sql("SELECT value, smooth(value, iter, 3) FROM series('latest', 'total_loss')")
    values = [value for value, _ in rows]
    for index, (_, mean) in enumerate(rows):
        window = [value for value in values[max(0, index - 2) : index + 1] if math.isfinite(value)]
        assert mean == pytest.approx(fmean(window), rel=1e-12)


def test_smooth_of_several_runs(tmp_path):
    runs = lab(tmp_path / "runs")
    _, rows = Store(tmp_path / "runs").sql(
        "SELECT uid, iter, smooth(value, iter, 2, uid) FROM metric WHERE key = 'total_loss'"
    )
    means = {(uid, iteration): mean for uid, iteration, mean in rows}
    for run in runs:
        expected = (run.loss(0), (run.loss(0) + run.loss(1)) / 2)
        assert (means[run.uid, 0], means[run.uid, 1]) == pytest.approx(expected, rel=1e-12)


def test_run_diff(store):
    assert store.sql("FROM run_diff('ttt', 'other')")[1] == [
        ("name", "ttt", "other"),
        ("optimizer.learning_rate", "0.001", "0.5"),
    ]
    assert store.sql("FROM run_diff('ttt', 'ttt')")[1] == []


def test_spec_params_have_numbers(store):
    query = "SELECT value, number FROM spec_params WHERE run = 'ttt' AND path IN ('name', 'seed')"
    assert sorted(store.sql(query)[1]) == [("42", 42.0), ("ttt", None)]


def test_series_has_every_key(store):
    for key in KEYS:
        assert len(store.sql(f"FROM series('{FIRST}', '{key}')")[1]) == 20
