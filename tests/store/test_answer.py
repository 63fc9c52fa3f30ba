"""Answers as pandas, polars, Arrow and Python hold them."""

import importlib.util
import math
from datetime import UTC, datetime, timedelta

import pytest

from jaxpot.errors import UserError
from jaxpot.store.open import open_store

QUERY = """
SELECT 'NaN'::DOUBLE AS "nan", NULL::DOUBLE AS "null", '-inf'::DOUBLE AS inf, 7 AS whole,
    '{"a": [1, "NaN"]}'::JSON AS json, TIMESTAMPTZ '2026-11-22 10:15:30.5+02' AS zoned,
    TIMESTAMP '2026-11-22 10:15:30' AS moment, INTERVAL 90 MINUTE AS span, [1, NULL] AS list,
    1 AS twice, 2 AS twice
"""
ZONED = datetime(2026, 11, 22, 8, 15, 30, 500000, tzinfo=UTC)
MOMENT = datetime(2026, 11, 22, 10, 15, 30)
JSON = '{"a": [1, "NaN"]}'


@pytest.fixture(scope="module")
def answer(tmp_path_factory):
    """Returns an answer of one row of every type that is hard."""
    return open_store(tmp_path_factory.mktemp("answer")).sql(QUERY)


def test_its_columns(answer):
    assert answer.columns[-2:] == ["twice", "twice_1"]
    assert dict(zip(answer.columns, answer.types, strict=True))["zoned"].startswith(
        "TIMESTAMP WITH"
    )
    assert "twice_1" in repr(answer)


def test_rows(answer):
    (row,) = answer.dicts()
    assert math.isnan(row["nan"])
    assert (row["null"], row["inf"], row["whole"], row["json"]) == (None, -math.inf, 7, JSON)
    assert (row["zoned"], row["moment"], row["span"]) == (ZONED, MOMENT, timedelta(minutes=90))
    assert (row["list"], row["twice"], row["twice_1"]) == ([1, None], 1, 2)


def test_pandas(answer):
    frame = answer.df()
    row = frame.iloc[0]
    assert math.isnan(row["nan"])
    assert math.isnan(row["null"])
    assert (row["inf"], row["whole"], row["json"]) == (-math.inf, 7, JSON)
    assert (row["zoned"], row["moment"]) == (ZONED, MOMENT)
    assert str(frame.dtypes["zoned"]) == "datetime64[us, UTC]"
    assert (row["span"], row["twice_1"]) == (timedelta(minutes=90), 2)


def test_polars(answer):
    (row,) = answer.pl().to_dicts()
    assert math.isnan(row["nan"])
    assert (row["null"], row["inf"], row["whole"], row["json"]) == (None, -math.inf, 7, JSON)
    assert (row["zoned"], row["moment"], row["span"]) == (ZONED, MOMENT, "01:30:00")
    assert (row["list"], row["twice_1"]) == ([1, None], 2)


def test_arrow(answer):
    table = answer.arrow()
    (row,) = table.to_pylist()
    assert math.isnan(row["nan"])
    assert (row["null"], row["inf"], row["whole"], row["json"]) == (None, -math.inf, 7, JSON)
    assert (row["zoned"], row["moment"]) == (ZONED, MOMENT)
    assert str(table.schema.field("zoned").type) == "timestamp[us, tz=UTC]"
    assert (row["list"], row["twice_1"]) == ([1, None], 2)


@pytest.mark.parametrize(
    ("method", "library"), [("df", "pandas"), ("pl", "polars"), ("arrow", "pyarrow")]
)
def test_a_library_that_is_not_there(answer, monkeypatch, method, library):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=f"{library} is not installed; `pip install {library}`"):
        getattr(answer, method)()


def test_an_error_among_the_rows(tmp_path):
    query = "SELECT CASE WHEN i = 9 THEN error('there') ELSE i END AS i FROM range(10) AS t(i)"
    answer = open_store(tmp_path).sql(query)
    for method in ("rows", "df", "pl", "arrow"):
        with pytest.raises(UserError, match="there"):
            getattr(answer, method)()


def test_several_statements(tmp_path):
    records = open_store(tmp_path)
    assert records.sql("SET VARIABLE a = 3; SELECT getvariable('a') + $b AS c", b=1).rows() == [
        (4,)
    ]
