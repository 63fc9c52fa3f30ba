"""Runs as tables for other programs: Parquet and CSV, in long form, one file a table."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jaxpot.paths import refuse_existing, replacing

if TYPE_CHECKING:
    import duckdb

    from jaxpot.store import Store

METRICS = "metrics"

_OF_RUN = (
    "SELECT r.uid, t.* EXCLUDE (run_id) FROM {table} AS t JOIN chosen_runs AS r USING (run_id)"
)
_LIVE = """
SELECT r.uid, t.* EXCLUDE (run_id)
FROM {table} AS t
JOIN chosen_runs AS r USING (run_id)
JOIN spans AS s ON s.run_id = t.run_id AND s.attempt = t.attempt AND t.iter < s.live_until
ORDER BY r.uid, t.iter
"""
TABLES: dict[str, str] = {
    METRICS: """
        SELECT m.uid, m.run, m.iter, m.key, m.value
        FROM metric AS m
        JOIN chosen_runs AS r USING (uid)
        JOIN chosen_keys AS k ON k.key = m.key
        ORDER BY m.uid, m.key, m.iter
    """,
    "runs": "SELECT t.* EXCLUDE (run_id) FROM runs AS t JOIN chosen_runs USING (run_id) ORDER BY 1",
    "attempts": f"{_OF_RUN.format(table='attempts')} ORDER BY r.uid, t.attempt",
    "params": f"{_OF_RUN.format(table='params')} ORDER BY r.uid, t.path",
    "keys": f"{_OF_RUN.format(table='keys')} ORDER BY r.uid, t.key_id",
    "iters": _LIVE.format(table="iters"),
    "histograms": _LIVE.format(table="histograms"),
    "standings": (
        "SELECT t.* FROM standings AS t JOIN chosen_runs USING (uid) ORDER BY uid, iter, name"
    ),
    "checkpoints": f"{_OF_RUN.format(table='checkpoints')} ORDER BY r.uid, t.iteration, t.kind",
    "events": f"{_OF_RUN.format(table='events')} ORDER BY r.uid, t.time, t.iter, t.kind",
    "tags": f"{_OF_RUN.format(table='tags')} ORDER BY r.uid, t.tag",
    "notes": f"{_OF_RUN.format(table='notes')} ORDER BY r.uid, t.time",
}
"""Each file's query: rows that count, of the chosen runs and keys, in an order that stays."""

_OPTIONS = {"parquet": "FORMAT parquet, COMPRESSION zstd", "csv": "FORMAT csv, HEADER"}


def write_tables(
    store: Store,
    uids: Sequence[str],
    keys: Sequence[str],
    output: Path,
    *,
    form: str,
    force: bool = False,
) -> list[Path]:
    """Write runs' tables into a folder, or their metrics alone into a file with the form's suffix.

    Args:
        store: Where the runs are.
        uids: Which runs.
        keys: Whose values.
        output: The folder or file.
        form: `parquet` or `csv`.
        force: Replace files that are there.

    Returns:
        The files.

    Raises:
        UserError: one is there already.
    """
    if output.suffix == f".{form}":
        files = {METRICS: output}
    else:
        files = {table: output / f"{table}.{form}" for table in TABLES}
    for path in files.values():
        refuse_existing(path, force=force)
        path.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(
            prefix=".sorting-", dir=next(iter(files.values())).parent
        ) as room,
        # The queries are this module's own: nothing that a user gave is part of them.
        store.reading(allow_files=True) as connection,
    ):
        connection.execute(f"SET temp_directory = {_quoted(Path(room))}")
        _choose(connection, uids, keys)
        for table, path in files.items():
            with replacing(path) as draft:
                connection.execute(f"COPY ({TABLES[table]}) TO {_quoted(draft)} ({_OPTIONS[form]})")
    return list(files.values())


def _choose(
    connection: duckdb.DuckDBPyConnection, uids: Sequence[str], keys: Sequence[str]
) -> None:
    connection.execute(
        "CREATE TEMP TABLE chosen_runs AS "
        "SELECT run_id, uid FROM runs WHERE uid IN (SELECT unnest($1::VARCHAR[]))",
        [list(uids)],
    )
    connection.execute(
        "CREATE TEMP TABLE chosen_keys AS SELECT unnest($1::VARCHAR[]) AS key", [list(keys)]
    )


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
