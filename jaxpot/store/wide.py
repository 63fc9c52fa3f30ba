"""One column for each key: PIVOT needs its columns spelled out, so no view or macro can do it."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from jaxpot.errors import UserError
from jaxpot.store.statements import quoted

if TYPE_CHECKING:
    import duckdb

_KEYS = """
SELECT k.name FROM keys AS k JOIN runs AS r ON r.run_id = k.run_id
WHERE $runs IS NULL OR list_contains($runs, r.uid)
GROUP BY k.name ORDER BY min(k.key_id), k.name
"""

# What a row is of; a payload has the key `iter` too.
_ROW = ("uid", "run", "iter")


def wide_query(
    connection: duckdb.DuckDBPyConnection, runs: Sequence[str] | None, keys: Sequence[str]
) -> str:
    """Give the query for a row an iteration and a column a key; it has the parameter `runs`.

    Args:
        connection: The database, which is asked for the keys there are.
        runs: The runs' uids; None for every run.
        keys: Patterns of keys, with `*` and `?`; empty for every key.

    Raises:
        UserError: no key is like any of the patterns.
    """
    listed = connection.execute(_KEYS, {"runs": None if runs is None else list(runs)}).fetchall()
    every = [name for (name,) in listed if name not in _ROW]
    chosen = [key for key in every if not keys or any(fnmatchcase(key, like) for like in keys)]
    if not chosen:
        wanted = " or ".join(map(repr, keys))
        raise UserError(f"no key is like {wanted}" if keys else "there is no key")
    listing = ", ".join("'" + key.replace("'", "''") + "'" for key in chosen)
    columns = ", ".join(map(quoted, chosen))
    counted = "WHERE uid IN (SELECT unnest($runs::VARCHAR[]))" if runs is not None else ""
    return f"""SELECT uid, run, iter, {columns} FROM (
    PIVOT (FROM metric {counted}) ON key IN ({listing})
    USING any_value(value) GROUP BY uid, run, iter
) ORDER BY uid, iter"""  # noqa: S608
