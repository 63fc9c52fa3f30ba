"""Moving the points of runs that are over into sorted parts, within one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jaxpot.store.freshness import LONG_RUN_POINTS

if TYPE_CHECKING:
    import duckdb

# Sorting so many holds the database for some tenths of a second.
PART_POINTS = 1_000_000

_DUE = f"p.unsorted > 0 AND (r.status <> 'running' OR p.unsorted >= {LONG_RUN_POINTS})"
_CHOOSE = f"""
SELECT p.run_id, p.unsorted
FROM journal_pos AS p
JOIN runs AS r ON r.run_id = p.run_id
WHERE {_DUE}
ORDER BY r.started, r.uid
"""  # noqa: S608

# Rows are in the order in which they were ingested, which is that of the journal.
_LAST = "SELECT max(id) FROM (SELECT rowid AS id FROM metrics WHERE run_id = ? LIMIT ?)"
_CHOSEN = "FROM metrics WHERE run_id IN (SELECT unnest($runs::BIGINT[])) AND rowid <= $last"
_COLUMNS = "SELECT run_id, attempt, iter, key_id, value"
_ORDER = "ORDER BY run_id, rowid"


class _Choice(NamedTuple):
    """Runs of whose points those up to a row are moved: all, or of a single one the first."""

    run_ids: list[int]
    last: int | None
    size: int


def seal(connection: duckdb.DuckDBPyConnection) -> int:
    """Move about `PART_POINTS` points within the caller's transaction; give how many were moved."""
    choice = _choose(connection)
    if choice is None:
        return 0
    import numpy as np

    from jaxpot.store.parts import add_parts, pieces_of

    chosen = {"runs": choice.run_ids, "last": choice.last}
    found = connection.execute(f"{_COLUMNS} {_CHOSEN} {_ORDER}", chosen).fetchnumpy()
    points = {name: np.asarray(column) for name, column in found.items()}
    add_parts(connection, list(pieces_of(points, choice.run_ids)))
    connection.execute(f"DELETE {_CHOSEN}", chosen)
    moved = len(points["value"])
    connection.execute(
        "UPDATE journal_pos SET unsorted = $1 WHERE run_id IN (SELECT unnest($2::BIGINT[]))",
        [choice.size - moved if moved else 0, choice.run_ids],
    )
    return moved


def _choose(connection: duckdb.DuckDBPyConnection) -> _Choice | None:
    due = connection.execute(_CHOOSE).fetchall()
    if not due:
        return None
    first, size = due[0]
    if size > PART_POINTS:
        ((last,),) = connection.execute(_LAST, [first, PART_POINTS]).fetchall()
        return _Choice([first], last, size)
    whole, run_ids = 0, list[int]()
    for run_id, size in due:
        if whole + size > PART_POINTS:
            break
        whole += size
        run_ids.append(run_id)
    ((last,),) = connection.execute("SELECT max(rowid) FROM metrics").fetchall()
    return _Choice(run_ids, last, whole)
