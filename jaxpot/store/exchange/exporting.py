"""Export runs: JSON lines and event files from journals, Parquet and CSV from tables."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxpot.errors import UserError
from jaxpot.journal import (
    JOURNAL_NAME,
    Histogram,
    Payload,
    Record,
    Standings,
    as_dict,
    live_payloads,
    live_records,
    read_header,
)
from jaxpot.paths import refuse_existing, replacing
from jaxpot.store.runs import RunRef

if TYPE_CHECKING:
    import duckdb

    from jaxpot.store import Store

Wanted = Callable[[str], bool]
"""Returns whether to export a key."""

_MEANT = ("checkpoint", "expect")  # parts of a spec that a sink interprets
_FIELDS = ("attempt", "iter", "time", "digest")


def json_lines(refs: Sequence[RunRef], wanted: Wanted) -> Iterator[str]:
    """Yield a line per live iteration: run, attempt, iteration, time, digest and values.

    NaN and infinities are strings, as in a journal.
    """
    for ref in refs:
        head = {"uid": ref.uid, "run": ref.name}
        for record in live_payloads(ref.path / JOURNAL_NAME):
            values = {key: value for key, value in record.values.items() if wanted(key)}
            if values:
                row = {**head, **{name: getattr(record, name) for name in _FIELDS}}
                row["values"] = values
                yield json.dumps(row, separators=(",", ":"), ensure_ascii=False)


def write_json_lines(
    refs: Sequence[RunRef], wanted: Wanted, output: Path, *, force: bool = False
) -> list[Path]:
    """Write runs as JSON lines, into one file `*.jsonl` or into a folder with a file per run.

    Raises:
        UserError: A file already exists.
    """
    each = {output / f"{ref.uid}.jsonl": [ref] for ref in refs}
    files = {output: list(refs)} if output.suffix == ".jsonl" else each
    for path in files:
        refuse_existing(path, force=force)
        path.parent.mkdir(parents=True, exist_ok=True)
    for path, of in files.items():
        with replacing(path) as draft, draft.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in json_lines(of, wanted))
    return list(files)


def write_event_files(refs: Sequence[RunRef], wanted: Wanted, output: Path) -> list[Path]:
    """Write runs for TensorBoard, each into its own folder.

    Raises:
        UserError: A folder already exists: TensorBoard reads the files of a folder as one run.
    """
    _require_tensorboardx()
    folders = [output / ref.uid for ref in refs]
    for folder in folders:
        refuse_existing(folder, force=False)
    for ref, folder in zip(refs, folders, strict=True):
        _write_events(ref, wanted, folder)
    return folders


def _write_events(ref: RunRef, wanted: Wanted, folder: Path) -> None:
    from jaxpot.trackers.tensorboard import TensorBoardSink

    journal = ref.path / JOURNAL_NAME
    sink = TensorBoardSink(folder)
    take: dict[type[Record], Callable[[dict[str, Any]], None]] = {
        Payload: sink.payload,
        Histogram: sink.histogram,
        Standings: sink.standings,
    }
    try:
        header = read_header(journal)
        if header is not None:
            sink.header({**as_dict(header), "spec": _known_spec(header.spec or {})})
        for record in live_records(journal, Payload, Histogram, Standings):
            if isinstance(record, Histogram) and not record.counts:
                continue
            if isinstance(record, Payload):
                record.values = {k: v for k, v in record.values.items() if wanted(k)}
            take[type(record)](as_dict(record))
    finally:
        sink.close()


def _known_spec(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a spec; if it is another program's, without the parts that a sink interprets."""
    from jaxpot.spec import SpecError, from_resolved

    try:
        from_resolved(spec)
    except SpecError:
        return {key: value for key, value in spec.items() if key not in _MEANT}
    return spec


def matching(keys: Collection[str], globs: Sequence[str]) -> list[str]:
    """Return the keys that match any of `globs`; without globs, all keys.

    Raises:
        UserError: A glob matches no key.
    """
    from fnmatch import fnmatchcase

    for glob in globs:
        if not any(fnmatchcase(key, glob) for key in keys):
            shown = ", ".join(sorted(keys)[:8])
            raise UserError(f"--keys {glob}: no key is like that; there are {shown}, ...")
    return sorted(key for key in keys if not globs or any(fnmatchcase(key, glob) for glob in globs))


def _require_tensorboardx() -> None:
    from importlib.util import find_spec

    if find_spec("tensorboardX") is None:
        raise UserError("TensorBoard's files need tensorboardX: pip install 'jaxpot[tensorboard]'")


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
"""The query of each file: the live rows of the chosen runs and keys, in a stable order."""

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
    """Write the tables of runs into a folder, or only their metrics into one file.

    The output is a file if it has the suffix of the form.

    Args:
        store: The store with the runs.
        uids: The runs.
        keys: The keys whose values are written.
        output: The folder or file.
        form: `parquet` or `csv`.
        force: Replace existing files.

    Returns:
        The files.

    Raises:
        UserError: A file already exists.
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
        # File access is safe: the queries contain nothing that a user wrote.
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
