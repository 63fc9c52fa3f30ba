"""The benchmark of the store, at a millionth of it: it must go on working."""

import importlib.util
from pathlib import Path

import pytest

from jaxpot.store import Store

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "store.py"


@pytest.fixture(scope="module")
def bench():
    """Returns the benchmark's module."""
    found = importlib.util.spec_from_file_location("store_benchmark", SCRIPT)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_its_questions_have_answers(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "REPEATS", 1)
    size = bench.size_of(1e-4, 3)
    assert size.points == 60 * (3 * 1 + 100)
    bench.generate(tmp_path, size)
    store = Store(tmp_path)
    assert store.ingest().points == size.points
    assert all(seconds > 0 for seconds in bench.questions(store, size).values())
    assert store.sql("SELECT DISTINCT points FROM summary ORDER BY 1")[1] == [(1,), (100,)]
    floats = "SELECT count(*) FROM metric WHERE value = value::FLOAT AND key LIKE '%loss'"
    assert store.sql(floats)[1][0][0] == 3 * 103


def test_it_follows_a_run(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "FOLLOWED", 20)
    found = bench.follow(tmp_path, 50)
    assert found.points == 50 * 60
    store = Store(tmp_path)
    assert store.sql("SELECT count(*) FROM metric")[1] == [(50 * 60,)]
    assert store.sql("SELECT status FROM runs")[1] == [("completed",)]
