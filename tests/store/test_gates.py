"""Judging gates by SQL: every place, NaN and what is missing, and statistics over seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from jaxpot.errors import UserError
from jaxpot.spec import Expect, resolved
from jaxpot.store import Store
from jaxpot.store.gates import from_journals, judge, judge_recorded
from tests.store.journals import START, Writer
from tests.tiny import tiny_experiment

NAN = math.nan
SERIES = [0.5, None, 0.9, NAN, 0.2, 0.4]
METRIC = "eval_vs_random/win_rate"
OVER_3 = {"metric": METRIC, "seeds": 3}


def write_run(
    runs_dir: Path,
    values: Sequence[float | None],
    *,
    seed: int = 42,
    number: int = 0,
    status: str = "completed",
    iterations: int = 6,
    metric: str = METRIC,
    **header: Any,
) -> Writer:
    """Writes a run of the tiny experiment whose gate's metric has these values."""
    run = Writer(runs_dir, f"20261122-1015{number:02d}-aaaaaa", start=START + 100 * number)
    gates = header.pop("expect", [{"metric": METRIC, "at": "best", "seeds": 3, "min": 0.5}])
    spec = resolved(tiny_experiment(iterations=iterations, expect=gates))
    spec["seed"] = seed
    run.header(**{"seed": seed, "iterations": iterations, "spec": spec, **header})
    run.start(iterations=iterations)
    for iteration, value in enumerate(values):
        written = {} if value is None else {metric: "NaN" if math.isnan(value) else value}
        run.record("payload", attempt=1, iter=iteration, values={"iter": iteration, **written})
    run.end(status, iterations=len(values))
    return run


def judged(paths: Sequence[Path], gate: Expect, *, complete: bool = True) -> dict[str, Any]:
    """Judges a gate of the first run in a database made from journals."""
    with from_journals(paths, {gate.metric}) as connection:
        uid = paths[0].parent.name
        (found,) = judge(connection, uid, [gate], iterations=6, complete=complete)
    return found


def same(a: float | None, b: float | None) -> bool:
    return a == b or (a is not None and b is not None and math.isnan(a) and math.isnan(b))


@pytest.mark.parametrize(
    ("gate", "value", "passed"),
    [
        ({"max": 0.4}, 0.4, True),
        ({"max": 0.39}, 0.4, False),
        ({"min": 0.3, "max": 0.5}, 0.4, True),
        ({"at": "best", "min": 0.9}, 0.9, True),
        ({"at": "best", "min": 0.91}, 0.9, False),
        ({"at": "best", "max": 0.2}, 0.2, True),
        ({"at": "any", "min": 0.45, "max": 0.55}, 0.5, True),
        ({"at": "any", "min": 0.95}, 0.4, False),
        ({"at": 2, "min": 0.9}, 0.9, True),
        ({"at": 1, "min": 0.9}, None, False),
        ({"at": 3, "min": 0.0}, NAN, False),
        ({"at": 3, "max": 1.0}, NAN, False),
        ({"metric": "other", "min": 0.0}, None, False),
    ],
)
def test_every_place(tmp_path, gate, value, passed):
    run = write_run(tmp_path, SERIES)
    gate = Expect(**{"metric": METRIC, **gate})
    found = judged([run.path], gate)
    assert same(found["value"], value)
    assert (found["judged"], found["passed"]) == (True, passed)
    assert [row["run"] for row in found["runs"]] == [run.uid]
    # The database on disk gives the same answer.
    store = Store(tmp_path)
    with store.reading() as connection:
        (again,) = judge_recorded(connection, run.uid, [gate])
    assert repr(again) == repr(found)


def test_nothing_but_nan_never_passes(tmp_path):
    run = write_run(tmp_path, [NAN, NAN])
    for at in ("last", "best", "any", 0):
        for low, high in ((-1e308, None), (None, 1e308)):
            found = judged([run.path], Expect(metric=METRIC, at=at, min=low, max=high))
            assert math.isnan(found["value"]), at
            assert found["passed"] is False


def test_an_infinite_value_is_a_number(tmp_path):
    run = write_run(tmp_path, [0.0, math.inf])
    run.path.write_text(run.path.read_text().replace(":Infinity", ':"Infinity"'))
    assert judged([run.path], Expect(metric=METRIC, at="best", min=9.0))["passed"] is True
    assert judged([run.path], Expect(metric=METRIC, max=9.0))["passed"] is False


def test_what_was_superseded_does_not_count(tmp_path):
    run = write_run(tmp_path, [0.9, 0.8, 0.7])
    run.start(1)
    run.payload(1, {METRIC: 0.1})
    assert judged([run.path], Expect(metric=METRIC, at="best", min=0.0))["value"] == 0.9
    assert judged([run.path], Expect(metric=METRIC, at=1, min=0.0))["value"] == 0.1
    assert judged([run.path], Expect(metric=METRIC, at=2, min=0.0))["value"] is None


def test_an_incomplete_run_is_not_judged(tmp_path):
    run = write_run(tmp_path, SERIES[:3], status="stopped")
    found = judged([run.path], Expect(metric=METRIC, min=0.0), complete=False)
    assert (found["judged"], found["passed"], found["value"]) == (False, None, 0.9)
    with Store(tmp_path).reading() as connection:
        (again,) = judge_recorded(connection, run.uid, [Expect(metric=METRIC, min=0.0)])
    assert again == found


def test_damaged_lines_are_passed_over(tmp_path):
    run = write_run(tmp_path, [0.5])
    run.raw(b'{"kind":"payload","eval_vs_random/win_rate":\n')
    run.raw(b'{"kind":"payload","time":1,"values":["eval_vs_random/win_rate"]}\n')
    run.raw(b'{"kind":"payload","time":1,"iter":3,"values":{"eval_vs_random/win_rate":0.9}')
    assert judged([run.path], Expect(metric=METRIC, min=0.0))["value"] == 0.5


@pytest.mark.parametrize(
    ("values", "gate", "value", "passed"),
    [
        ([0.2, 0.6, 0.7], {"statistic": "mean", "min": 0.5}, 0.5, True),
        ([0.2, 0.6, 0.7], {"statistic": "median", "min": 0.6}, 0.6, True),
        ([0.2, 0.6, 0.7], {"statistic": "min", "min": 0.3}, 0.2, False),
        ([0.2, 0.6, 0.7], {"statistic": "max", "max": 0.7}, 0.7, True),
        ([NAN, 0.6, 0.7], {"statistic": "mean", "min": 0.0}, NAN, False),
        ([NAN, 0.6, 0.7], {"statistic": "median", "min": 0.0}, NAN, False),
        ([NAN, 0.6, 0.7], {"statistic": "min", "min": 0.0}, NAN, False),
        ([NAN, 0.6, 0.7], {"statistic": "max", "max": 1.0}, NAN, False),
        ([None, 0.6, 0.7], {"statistic": "mean", "min": 0.0}, None, False),
        ([None, 0.6, 0.7], {"statistic": "max", "min": 0.0, "max": 1.0}, None, False),
        ([NAN, 0.6, 0.7], {"statistic": "max", "min": 0.7}, 0.7, True),
        ([None, 0.6, 0.7], {"statistic": "min", "max": 0.6}, 0.6, True),
        ([NAN, NAN, NAN], {"statistic": "max", "min": 0.0}, NAN, False),
        ([None, None, None], {"statistic": "max", "min": 0.0}, None, False),
    ],
)
def test_every_statistic(tmp_path, values, gate, value, passed):
    runs = [
        write_run(tmp_path, [None] * 5 + [each], seed=7 + index, number=index)
        for index, each in enumerate(values)
    ]
    found = judged([run.path for run in runs], Expect(**OVER_3, **gate))
    assert same(found["value"], value)
    assert (found["judged"], found["passed"]) == (True, passed)
    assert [row["seed"] for row in found["runs"]] == [7, 8, 9]
    assert all(same(row["value"], each) for row, each in zip(found["runs"], values, strict=True))


def test_the_standard_error_is_that_of_the_mean(tmp_path):
    values = [0.25, 0.5, 1.0]
    runs = [write_run(tmp_path, [x] * 6, seed=i, number=i) for i, x in enumerate(values)]
    found = judged([run.path for run in runs], Expect(**OVER_3, min=0.0))
    mean = sum(values) / 3
    deviation = math.sqrt(sum((x - mean) ** 2 for x in values) / 2)
    assert found["standard_error"] == pytest.approx(deviation / math.sqrt(3), rel=1e-15)
    assert judged([runs[0].path], Expect(metric=METRIC, min=0.0))["standard_error"] is None


def recorded(runs_dir: Path, run: Writer) -> dict[str, Any]:
    with Store(runs_dir).reading() as connection:
        (found,) = judge_recorded(connection, run.uid)
    return found


def test_the_runs_that_count(tmp_path):
    own = write_run(tmp_path, [0.5] * 6, seed=1, number=1)
    write_run(tmp_path, [0.1] * 6, seed=1, number=2)  # of the run's own seed
    write_run(tmp_path, [0.1] * 6, seed=2, number=3)  # done again below
    write_run(tmp_path, [0.6] * 6, seed=2, number=4)
    write_run(tmp_path, [0.1] * 3, seed=2, number=5, status="interrupted")
    write_run(tmp_path, [0.1] * 6, seed=3, number=6, training_digest="other")
    write_run(tmp_path, [0.1] * 6, seed=3, number=7, parent="run/checkpoints/000003")
    other = write_run(tmp_path, [0.1] * 6, seed=3, number=8)
    other.path.write_text(other.path.read_text().replace('"num_games":16', '"num_games":32'))
    found = recorded(tmp_path, own)
    assert [(row["seed"], row["value"]) for row in found["runs"]] == [(1, 0.5), (2, 0.6)]
    assert (found["judged"], found["passed"]) == (False, None)
    # A longer run's first iterations are those of a run as long as this one.
    write_run(tmp_path, [0.7] * 6 + [0.9] * 3, seed=3, number=9, iterations=9)
    found = recorded(tmp_path, own)
    assert [(row["seed"], row["value"]) for row in found["runs"]] == [(1, 0.5), (2, 0.6), (3, 0.7)]
    assert (found["judged"], found["passed"]) == (True, True)


def test_a_run_that_failed_counts_without_a_value(tmp_path):
    gates = [{"metric": METRIC, "at": "best", "seeds": 3, "statistic": "mean", "min": 0.5}]
    runs = [write_run(tmp_path, [0.9] * 6, seed=n, number=n, expect=gates) for n in range(3)]
    assert recorded(tmp_path, runs[0])["passed"] is True
    write_run(tmp_path, [0.9] * 3, seed=3, number=3, status="failed", expect=gates)
    found = recorded(tmp_path, runs[0])
    assert (found["judged"], found["passed"], found["value"]) == (True, False, None)
    assert found["runs"][3]["value"] is None
    write_run(tmp_path, [0.9] * 6, seed=3, number=4, expect=gates)
    assert recorded(tmp_path, runs[0])["passed"] is True


def test_a_run_of_a_group_is_judged_with_the_groups_seeds(tmp_path):
    runs = [write_run(tmp_path, [0.9] * 6, seed=n, number=n) for n in range(5)]
    runs[1].event("seeds", {"first": 1, "count": 3})
    assert [row["seed"] for row in recorded(tmp_path, runs[1])["runs"]] == [1, 2, 3]
    assert len(recorded(tmp_path, runs[0])["runs"]) == 5
    for payload in ({"first": "x", "count": None}, {}):
        runs[2].event("seeds", payload)
        assert len(recorded(tmp_path, runs[2])["runs"]) == 5


def test_the_view_has_what_the_newest_attempt_judged_last(tmp_path):
    run = write_run(tmp_path, SERIES)
    gate = {"metric": METRIC, "at": "best", "min": 0.5, "max": None, "seeds": 3}
    gate["statistic"] = "mean"
    run.event("expect", {**gate, "value": 0.9, "judged": True, "passed": True})
    run.start(3)
    query = "SELECT metric, place, min, max, seeds, statistic, value, judged, passed FROM gates"
    assert Store(tmp_path).sql(query)[1] == []
    run.event("expect", {**gate, "value": "NaN", "judged": False, "passed": None})
    run.event("expect", {"metric": "other", "at": 3, "max": 1, "value": 0.5, "passed": False})
    run.event("expect", {**gate, "value": 0.7, "judged": True, "passed": True})
    assert Store(tmp_path).sql(f"{query} ORDER BY metric")[1] == [
        (METRIC, "best", 0.5, None, 3, "mean", 0.7, True, True),
        ("other", "3", None, 1.0, None, None, 0.5, None, False),
    ]
    shown = Store(tmp_path).describe(run.uid)["expect"]
    assert [gate["value"] for gate in shown] == [0.7, 0.5]


def test_a_recorded_spec_that_is_none(tmp_path):
    run = write_run(tmp_path, SERIES, spec={"name": 5, "expect": [{"metric": METRIC}]})
    with Store(tmp_path).reading() as connection, pytest.raises(UserError, match="is refused"):
        judge_recorded(connection, run.uid)
    with Store(tmp_path).reading() as connection, pytest.raises(UserError, match="not in the"):
        judge_recorded(connection, "nobody")


def test_a_newer_jaxpots_journal(tmp_path):
    run = write_run(tmp_path, SERIES, journal_version=99)
    with pytest.raises(UserError, match="upgrade jaxpot"):
        judged([run.path], Expect(metric=METRIC, min=0.0))
    assert json.loads(run.path.read_text().splitlines()[0])["journal_version"] == 99
