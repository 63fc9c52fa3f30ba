"""Whether the database is behind the journals: asked by every reading command, so kept light."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jaxpot.store.runs import is_running, journals

if TYPE_CHECKING:
    import duckdb


class Position(NamedTuple):
    """Where the database stands in one journal."""

    position: int
    size: int
    status: str


def positions_in(connection: duckdb.DuckDBPyConnection) -> dict[str, Position]:
    """Give where the database stands in each journal that it knows."""
    rows = connection.execute(
        "SELECT p.uid, p.position, p.size, r.status "
        "FROM journal_pos AS p JOIN runs AS r ON r.run_id = p.run_id"
    ).fetchall()
    return {uid: Position(*rest) for uid, *rest in rows}


def stale(runs_dir: Path, positions: Mapping[str, Position]) -> Iterator[str]:
    """Yield the uids of runs that an ingest has something to do for."""
    known = dict(positions)
    for file in journals(runs_dir):
        found = known.pop(file.uid, None)
        if (
            found is None
            or found.size != file.size
            or (found.status == "running" and not is_running(file.path.parent))
        ):
            yield file.uid
    yield from known  # their folders are gone
