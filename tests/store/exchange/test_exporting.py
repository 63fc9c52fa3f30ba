"""Runs written for other programs, and read back by them."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from jaxpot.errors import UserError
from jaxpot.store import Store
from jaxpot.store.exchange.exporting import (
    TABLES,
    json_lines,
    matching,
    write_event_files,
    write_json_lines,
    write_tables,
)
from jaxpot.store.exchange.importing import import_path
from jaxpot.store.runs import find_all
from tests.cli.runs import two_runs
from tests.store.journals import Writer, complete_run

A, B = "20261122-101530-aaaaaa", "20261122-111530-bbbbbb"
KEYS = ["eval_vs_random/win_rate", "iter", "iteration/sps", "total_loss"]


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    """A complete run, and one of two attempts with NaN and an infinity."""
    folder = tmp_path_factory.mktemp("export") / "runs"
    two_runs(folder)
    Store(folder).ingest()
    return folder


@pytest.fixture
def refs(runs_dir):
    return find_all(runs_dir, [A, B])


def everything(_: str) -> bool:
    return True


def expected(runs_dir):
    return Store(runs_dir).sql("SELECT uid, run, iter, key, value FROM metric ORDER BY ALL")[1]


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_tables(runs_dir, tmp_path, form):
    written = write_tables(Store(runs_dir), [A, B], KEYS, tmp_path / "out", form=form)
    assert [path.name for path in written] == [f"{name}.{form}" for name in TABLES]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        path.name for path in written
    )
    read = pd.read_parquet if form == "parquet" else pd.read_csv
    metrics = read(tmp_path / "out" / f"metrics.{form}")
    rows = sorted(metrics.itertuples(index=False, name=None), key=lambda row: row[:4])
    ours = sorted(expected(runs_dir), key=lambda row: row[:4])
    assert str(rows) == str(ours)
    assert list(metrics.columns) == ["uid", "run", "iter", "key", "value"]
    assert metrics.sort_values(["uid", "key", "iter"]).index.tolist() == list(range(len(metrics)))
    assert read(tmp_path / "out" / f"runs.{form}")["uid"].tolist() == [A, B]
    assert len(read(tmp_path / "out" / f"iters.{form}")) == 20 + 6  # three are superseded
    assert len(read(tmp_path / "out" / f"standings.{form}")) == 3


def test_one_file_and_some_keys(runs_dir, tmp_path):
    write_tables(Store(runs_dir), [A], ["total_loss"], tmp_path / "x.parquet", form="parquet")
    table = pq.read_table(tmp_path / "x.parquet")
    assert table.num_rows == 20
    assert set(table["key"].to_pylist()) == {"total_loss"}
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]


def test_files_that_are_there_stay(runs_dir, refs, tmp_path):
    store = Store(runs_dir)
    for path in (tmp_path / "x.csv", tmp_path / "x.jsonl"):
        path.write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        write_tables(store, [A], KEYS, tmp_path / "x.csv", form="csv")
    with pytest.raises(UserError, match="is there already"):
        write_json_lines(refs, everything, tmp_path / "x.jsonl")
    assert (tmp_path / "x.csv").read_text() == (tmp_path / "x.jsonl").read_text() == "mine"
    write_tables(store, [A], KEYS, tmp_path / "x.csv", form="csv", force=True)
    write_json_lines(refs, everything, tmp_path / "x.jsonl", force=True)
    assert len((tmp_path / "x.csv").read_text().splitlines()) == 81
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 26


def test_a_folder_with_a_quote(runs_dir, tmp_path):
    write_tables(Store(runs_dir), [A], KEYS, tmp_path / "it's" / "x.csv", form="csv")
    assert (tmp_path / "it's" / "x.csv").is_file()


def test_json_lines(runs_dir, refs, tmp_path):
    written = write_json_lines(refs, everything, tmp_path / "out")
    assert [path.name for path in written] == [f"{A}.jsonl", f"{B}.jsonl"]
    rows = [json.loads(line) for path in written for line in path.read_text().splitlines()]
    assert [(row["uid"], row["iter"]) for row in rows] == [
        *((A, n) for n in range(20)),
        *((B, n) for n in range(6)),
    ]
    assert rows[-1]["values"] | {"iter": 5} == {
        **rows[-1]["values"],
        "iter": 5,
        "total_loss": "NaN",
        "iteration/sps": "Infinity",
    }
    assert (rows[-1]["attempt"], rows[-2]["attempt"]) == (2, 1)
    some = [json.loads(line) for line in json_lines(refs, {"total_loss"}.__contains__)]
    assert all(set(row["values"]) == {"total_loss"} for row in some)


def test_tensorboard(runs_dir, refs, tmp_path):
    written = write_event_files(refs, everything, tmp_path)
    assert [path.name for path in written] == [A, B]
    accumulated = EventAccumulator(str(tmp_path / B), size_guidance={"scalars": 0}).Reload()
    assert sorted(accumulated.Tags()["scalars"]) == KEYS
    points = [(e.step, f"{e.value:.5g}") for e in accumulated.Scalars("total_loss")]
    ours = [
        (iteration, f"{value:.5g}")
        for uid, _, iteration, key, value in expected(runs_dir)
        if uid == B and key == "total_loss"
    ]
    assert points == ours
    with pytest.raises(UserError, match="is there already"):
        write_event_files(refs, everything, tmp_path)


def test_tensorboard_there_and_back(refs, tmp_path, runs_dir):
    """What is exported and imported again has the same points, in TensorBoard's precision."""
    write_event_files(refs[:1], everything, tmp_path / "logs")
    assert [run.action for run in import_path(tmp_path / "back", tmp_path / "logs")] == ["imported"]
    back = Store(tmp_path / "back").sql("SELECT iter, key, value FROM metric ORDER BY ALL")[1]
    ours = [row[2:] for row in expected(runs_dir) if row[0] == A]
    assert [row[:2] for row in back] == [row[:2] for row in ours]
    assert max(abs(a[2] - b[2]) for a, b in zip(back, ours, strict=True)) < 1e-6


def test_records_that_no_table_takes_are_left_out(tmp_path):
    run = complete_run(tmp_path / "runs", A)
    run.payload(20, {"total_loss": "much"})
    run.record("payload", attempt=1, iter=20, values={"total_loss": 1.0}, time="noon")
    run.record("histogram", attempt=1, iter=20, name="x", counts=["many"])
    run.record("histogram", attempt=1, iter=20, name="x", counts=[])
    run.record("standings", attempt=1, iter=20, standings=["first"])
    found = find_all(tmp_path / "runs", [A])
    assert len(list(json_lines(found, everything))) == 20
    write_event_files(found, everything, tmp_path / "logs")
    accumulated = EventAccumulator(str(tmp_path / "logs" / A)).Reload()
    assert len(accumulated.Scalars("total_loss")) == 20


def test_a_spec_that_is_none_of_ours(tmp_path):
    run = Writer(tmp_path / "runs", A)
    run.header(spec={"lr": 0.5, "expect": 5, "checkpoint": {"best": {"x": 1}}}, spec_toml=None)
    run.start()
    run.payload(0)
    write_event_files(find_all(tmp_path / "runs", [A]), everything, tmp_path / "logs")
    assert [run.action for run in import_path(tmp_path / "back", tmp_path / "logs")] == ["imported"]
    assert Store(tmp_path / "back").sql("SELECT path, value FROM params")[1] == [("lr", "0.5")]


def test_keys_by_globs():
    keys = ["eval_a/win", "eval_b/win", "total_loss"]
    assert matching(keys, []) == keys
    assert matching(keys, ["eval_*", "total_loss"]) == keys
    assert matching(keys, ["*/win"]) == ["eval_a/win", "eval_b/win"]
    with pytest.raises(
        UserError, match=r"--keys nope\*: no key is like that; there are eval_a/win"
    ):
        matching(keys, ["nope*"])
