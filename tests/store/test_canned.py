"""Queries that have names: each runs, and those that compute agree with Python."""

import math
import re
from statistics import fmean, stdev

import pytest

from jaxpot.errors import UserError
from jaxpot.store.canned import find_query, named_queries, parse_query
from jaxpot.store.open import open_store
from tests.store.journals import Writer, complete_run
from tests.store.lab import ITERATIONS, SAMPLES, lab, samples_of

SHIPPED = sorted(named_queries())
WIN = "eval_vs_random/win_rate"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Returns the lab's runs, and what asks them."""
    runs_dir = tmp_path_factory.mktemp("lab") / "runs"
    return lab(runs_dir), open_store_of(runs_dir)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Returns what asks a complete run, a failed one and an interrupted one."""
    runs_dir = tmp_path_factory.mktemp("canned") / "runs"
    complete_run(runs_dir, "20261122-101530-aaaaaa")
    failed = Writer(runs_dir, "20261122-111530-bbbbbb", name="failed", start=1_795_003_600.0)
    failed.header(seed=7)
    failed.start()
    failed.payload(0, {"total_loss": "NaN", "timings/total": 1.0})
    failed.event("nonfinite", {"keys": ["total_loss"]}, 0)
    failed.end("failed", exit_reason="the loss is NaN")
    return open_store_of(runs_dir)


def open_store_of(runs_dir):
    records = open_store(runs_dir)
    records.runs()
    return records


def test_the_names_of_all(snapshot):
    assert snapshot == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_every_one_has_a_header_and_runs(records, name):
    query = named_queries()[name]
    assert re.fullmatch(r"[A-Z].*\.", query.summary)
    assert "$" not in query.summary
    required = {parameter.name for parameter in query.parameters if parameter.default is None}
    assert required <= {"a"}
    answer = records.sql(name, **({"a": "run:ttt"} if required else {}))
    assert len(set(answer.columns)) == len(answer.columns)
    answer.rows()


def test_learning_curves(bench):
    runs, records = bench
    answer = records.sql("learning_curves", width=3, run=runs[0].uid)
    for iteration, samples, seconds, value, mean in answer:
        window = [runs[0].loss(i) for i in range(max(0, iteration - 2), iteration + 1)]
        assert samples == SAMPLES * (iteration + 1)
        assert seconds == iteration + 3.0
        assert (value, mean) == pytest.approx((window[-1], fmean(window)), rel=1e-12)


def test_best_per_spec(bench):
    runs, records = bench
    rows = records.sql("best_per_spec", key="total_loss", better="min").dicts()
    for row in rows:
        same = [run for run in runs if run.uid[:8] and row["training"][:2] == digest_of(run)]
        values = {
            run.uid: min(v for v in map(run.loss, range(ITERATIONS)) if math.isfinite(v))
            for run in same
        }
        assert row["runs"] == len(same)
        assert row["best"] == min(values.values()) == values[row["uid"]]
        assert row["iter"] == ITERATIONS - 1
    assert [row["best"] for row in rows] == sorted(row["best"] for row in rows)
    assert len(rows) == 2


def digest_of(run):
    return f"{int(1000 * run.rate):02x}"


def test_leaderboard(bench):
    runs, records = bench
    rows = records.sql("leaderboard", limit=3).dicts()
    best = sorted((-run.win_rate(ITERATIONS - 1), run.uid) for run in runs)[:3]
    assert [(-row["best"], row["uid"]) for row in rows] == best


def test_seeds_do_not_count_a_repetition_twice(bench):
    runs, records = bench
    rows = records.sql("seeds", key=WIN).dicts()
    assert len(rows) == 2
    for row in rows:
        same = [run for run in samples_of(runs) if digest_of(run) == row["training"][:2]]
        values = [run.win_rate(ITERATIONS - 1) for run in same]
        assert (row["n"], row["seeds"], row["nonfinite"]) == (3, [1, 2, 3], 0)
        expected = (fmean(values), stdev(values) / math.sqrt(3))
        assert (row["mean"], row["standard_error"]) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_seed_curves_leave_out_what_is_not_finite(bench):
    runs, records = bench
    rows = records.sql("seed_curves", run=runs[3].uid, key="total_loss").dicts()
    assert [row["iter"] for row in rows] == list(range(ITERATIONS))
    for row in rows:
        every = [run.loss(row["iter"]) for run in samples_of(runs) if run.rate == runs[3].rate]
        values = [value for value in every if math.isfinite(value)]
        assert row["n"] == len(values) == (2 if row["iter"] == 4 else 3)
        expected = (fmean(values), stdev(values) / math.sqrt(len(values)))
        assert (row["mean"], row["standard_error"]) == pytest.approx(expected, rel=1e-9)


def test_time_breakdown_and_slowest_phases(bench):
    _, records = bench
    assert records.sql("time_breakdown").rows() == [
        ("training", 15.0, 0.75),
        ("compile", 3.0, 0.15),
        ("wait", 2.0, 0.1),
    ]
    phases = records.sql("slowest_phases").dicts()
    assert [(row["key"], row["seconds"], row["share"]) for row in phases] == [
        ("timings/total", pytest.approx(2.0), pytest.approx(1.0)),
        ("timings/training", pytest.approx(1.5), pytest.approx(0.75)),
        ("timings/transfer_metrics", pytest.approx(0.1), pytest.approx(0.05)),
    ]


def test_sample_efficiency(bench):
    runs, records = bench
    rows = records.sql("sample_efficiency", key=WIN, threshold=0.95).dicts()
    found = {row["uid"]: (row["iter"], row["samples"], row["seconds"]) for row in rows}
    for run in runs:
        first = next((i for i in range(ITERATIONS) if run.win_rate(i) >= 0.95), None)
        expected = (None,) * 3
        if first is not None:
            expected = (first, SAMPLES * (first + 1), 2.0 * (first + 1))
        assert found[run.uid] == expected
    assert {expected[0] is None for expected in found.values()} == {True, False}


def test_sweep_marginals(bench):
    runs, records = bench
    rows = records.sql("sweep_marginals", key=WIN).dicts()
    assert {row["path"] for row in rows} == {"optimizer.learning_rate"}
    for row in rows:
        values = [r.win_rate(ITERATIONS - 1) for r in runs if str(r.rate) == row["value"]]
        expected = (fmean(values), stdev(values) / math.sqrt(len(values)))
        assert row["n"] == len(values)
        assert (row["mean"], row["standard_error"]) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_league_lineage(records):
    rows = {row["name"]: row for row in records.sql("league_lineage", run="ttt").dicts()}
    assert list(rows) == ["iter_000003", "iter_000006", "iter_000009", "iter_000011"]
    recalled = rows["iter_000006"]
    assert (recalled["added"], recalled["archived"], recalled["dropped"]) == (5, 8, None)
    assert (recalled["recalled"], recalled["released"]) == ([14, 18], [17])
    assert rows["iter_000003"]["dropped"] == 19


def test_failures_and_nonfinite(records):
    (failure,) = records.sql("failures").dicts()
    assert (failure["status"], failure["exit_reason"]) == ("failed", "the loss is NaN")
    assert failure["said"] == '{"keys":["total_loss"]}'
    (nonfinite,) = records.sql("nonfinite").dicts()
    assert (nonfinite["key"], nonfinite["nonfinite"], nonfinite["first_iter"]) == (
        "total_loss",
        1,
        0,
    )


def test_two_runs_compared(bench):
    runs, records = bench
    assert records.sql("spec_diff", a=f"run:{runs[0].uid}", b=f"run:{runs[1].uid}").rows() == [
        ("seed", "1", "2")
    ]
    assert records.sql("first_difference", a=f"run:{runs[0].uid}").rows() == []


def test_a_wrong_choice_is_said(bench):
    with pytest.raises(UserError, match=r"\$better is max or min"):
        bench[1].sql("leaderboard", better="least").rows()


def test_a_users_own_counts_first(tmp_path):
    folder = tmp_path / "queries"
    folder.mkdir()
    (folder / "leaderboard.sql").write_text("-- Mine.\n--\n-- $x = 3: a number\nSELECT $x;\n")
    (folder / "bare.sql").write_text("SELECT 1")
    found = named_queries(folder)
    assert set(found) == {*SHIPPED, "bare"}
    assert found["leaderboard"].summary == "Mine."
    assert found["leaderboard"].filled({}) == {"x": 3}
    assert found["bare"].summary == ""
    assert find_query(" bare ;", folder).sql == "SELECT 1"
    (folder / "bad.sql").write_bytes(b"\xff")
    with pytest.raises(UserError, match=r"bad\.sql: not UTF-8"):
        named_queries(folder)


def test_a_word_that_names_none(tmp_path):
    with pytest.raises(UserError, match="'learning_curve'; did you mean 'learning_curves'"):
        find_query("learning_curve", tmp_path)
    with pytest.raises(UserError, match="'qqq'; there are best_per_spec, "):
        find_query("qqq", tmp_path)


def test_a_header_is_read():
    query = parse_query(
        "-- What.\n--\n-- $a = run:latest: one: the first\n-- $b: two\n-- more\nSELECT 1 -- $c: x"
    )
    assert query.summary == "What."
    assert [tuple(parameter) for parameter in query.parameters] == [
        ("a", "run:latest", "one: the first"),
        ("b", None, "two"),
    ]
    assert query.filled({"b": 2}) == {"a": "run:latest", "b": 2}
