"""Query results as pandas, polars, Arrow or Python values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jaxpot.errors import UserError
from jaxpot.store.query import last_relation, wrong

if TYPE_CHECKING:
    import duckdb
    import pandas
    import polars
    import pyarrow

    from jaxpot.store.reader import Store

_ZONED = "TIMESTAMP WITH TIME ZONE"


class Answer:
    """A checked query. Each method runs it again and returns the current rows.

    Times with a zone are in UTC and JSON is text. NaN and NULL differ, except in pandas, where both
    are NaN in a floating-point column. Columns with the same name get a number appended.
    """

    def __init__(
        self,
        store: Store,
        connection: duckdb.DuckDBPyConnection,
        query: str,
        parameters: Mapping[str, Any],
    ) -> None:
        """Check a query.

        Args:
            store: What is asked.
            connection: The same, open.
            query: The SQL.
            parameters: The values of its parameters.

        Raises:
            UserError: the query is wrong.
        """
        self._store = store
        self._parameters = dict(parameters)
        self.query = query
        relation, described = last_relation(
            connection, query, path=store.path, parameters=self._parameters
        )
        del relation
        self.columns: list[str] = [name for name, _ in described]
        self.types: list[str] = [kind for _, kind in described]

    def df(self) -> pandas.DataFrame:
        """Return a pandas data frame."""
        _need("pandas")
        with self._relation() as relation:
            frame = relation.df()
        for name in self._zoned():
            frame[name] = frame[name].dt.tz_localize("UTC")
        return frame

    def pl(self) -> polars.DataFrame:
        """Return a polars data frame; intervals become text, since polars has no such type."""
        _need("polars")
        import polars

        with self._relation(intervals=False) as relation:
            frame = polars.DataFrame(relation)
        return frame.with_columns(
            polars.col(name).dt.replace_time_zone("UTC") for name in self._zoned()
        )

    def arrow(self) -> pyarrow.Table:
        """Return an Arrow table."""
        _need("pyarrow")
        import pyarrow

        with self._relation() as relation:
            table = relation.to_arrow_table()
        for name in self._zoned():
            index = table.schema.get_field_index(name)
            utc = table.column(index).cast(pyarrow.timestamp("us", tz="UTC"))
            table = table.set_column(index, name, utc)
        return table

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows as tuples of Python values."""
        with self._relation() as relation:
            rows = relation.fetchall()
        zoned = [kind == _ZONED for kind in self.types]
        if not any(zoned):
            return rows
        return [
            tuple(
                value.replace(tzinfo=UTC) if is_zoned and isinstance(value, datetime) else value
                for value, is_zoned in zip(row, zoned, strict=True)
            )
            for row in rows
        ]

    def dicts(self) -> list[dict[str, Any]]:
        """Return the rows as dicts."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows()]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows())

    def __repr__(self) -> str:
        return f"Answer({', '.join(self.columns)}): .df() .pl() .arrow() .rows() .dicts()"

    def _zoned(self) -> list[str]:
        pairs = zip(self.columns, self.types, strict=True)
        return [name for name, kind in pairs if kind == _ZONED]

    @contextmanager
    def _relation(self, *, intervals: bool = True) -> Iterator[duckdb.DuckDBPyRelation]:
        import duckdb

        with self._store.reading() as connection:
            try:
                relation, _ = last_relation(
                    connection,
                    self.query,
                    path=self._store.path,
                    parameters=self._parameters,
                    intervals=intervals,
                )
                yield relation
            except duckdb.Error as error:
                raise wrong(error, self._store.path) from error


def _need(module: str) -> None:
    """Check that a library is installed.

    Raises:
        UserError: It is not.
    """
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise UserError(f"{module} is not installed; `pip install {module}`, or ask for .rows()")
