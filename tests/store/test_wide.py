"""One column for each key."""

import pytest

from jaxpot.errors import UserError
from jaxpot.store.open import open_store
from tests.store.journals import Writer
from tests.store.lab import ITERATIONS, lab


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Returns the lab's runs, and what asks them."""
    runs_dir = tmp_path_factory.mktemp("wide") / "runs"
    return lab(runs_dir), open_store(runs_dir)


def test_a_row_an_iteration_and_a_column_a_key(bench):
    runs, records = bench
    answer = records.wide("latest", ["total_loss", "eval*"])
    assert answer.columns == ["uid", "run", "iter", "total_loss", "eval_vs_random/win_rate"]
    run = runs[-1]
    expected = [
        (run.uid, "sweep", i, run.loss(i), run.win_rate(i)) for i in range(ITERATIONS) if i != 4
    ]
    assert [row for row in answer if row[2] != 4] == expected


def test_all_runs_and_all_keys(bench):
    runs, records = bench
    answer = records.wide()
    assert len(answer.columns) == 3 + 7  # one of them is declared, and never was there
    assert [row[:3] for row in answer] == [
        (run.uid, "sweep", i) for run in runs for i in range(ITERATIONS)
    ]


def test_a_name_means_every_run_that_has_it(bench):
    runs, records = bench
    counted = {row[0] for row in records.wide("sweep", "total_loss")}
    assert counted == {run.uid for run in runs}


def test_no_key_is_like_that(bench):
    with pytest.raises(UserError, match="no key is like 'nope' or 'none'"):
        bench[1].wide(keys=["nope", "none"])


def test_a_key_may_have_any_name(tmp_path):
    run = Writer(tmp_path / "runs", "20261122-101530-aaaaaa")
    run.header()
    run.start()
    names = ["it's", 'a "b"', "a; DROP TABLE runs; --", "uid", "run"]
    run.payload(0, dict(zip(names, range(5), strict=True)))
    found = open_store(tmp_path / "runs").wide(keys=["it'*", "a*", "uid", "run"]).dicts()
    assert found == [
        {
            "uid": run.uid,
            "run": "ttt",
            "iter": 0,
            **dict(zip(names[:3], (0.0, 1.0, 2.0), strict=True)),
        }
    ]
