"""Judging learning gates by SQL: over the database, or over a run's journal as its run ends.

A run gives a gate one value, that of the gate's `at`. A gate over several seeds is judged by a
statistic of such values: of the run itself, and of the newest run of each other seed that trained
the same and is complete. One that failed before has no value, and is not passed over.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxpot.errors import UserError
from jaxpot.journal import FutureJournalError, Payload, parse
from jaxpot.journal.records import INT32_MAX, INT64_MAX
from jaxpot.store import database
from jaxpot.store.batch import Batch
from jaxpot.store.lines import take_line, take_payload
from jaxpot.store.state import RunState, store

if TYPE_CHECKING:
    import duckdb

    from jaxpot.spec import Expect

SEEDS = "seeds"
"""Event: the run is one of several that differ in their seed, from `first`, `count` of them."""

_HEAD_BYTES = 64  # a journal writes the kind first
_BATCH_POINTS = 1_000_000
_EVALUATOR = "eval_"

_COLUMNS = ("gate", "metric", "place", "moment", "low", "high", "seeds", "statistic", "evaluator")
_RUN = "SELECT spec, target, iterations FROM runs WHERE uid = $1"
_SEEDS = f"""
SELECT TRY_CAST(payload->>'$.first' AS BIGINT), TRY_CAST(payload->>'$.count' AS BIGINT)
FROM events JOIN runs USING (run_id)
WHERE uid = $1 AND kind = '{SEEDS}'
ORDER BY time DESC LIMIT 1
"""  # noqa: S608 (a constant)


def judge(
    connection: duckdb.DuckDBPyConnection,
    uid: str,
    gates: Sequence[Expect],
    *,
    iterations: int,
    complete: bool,
    seeds: tuple[int, int] = (0, INT64_MAX),
) -> list[dict[str, Any]]:
    """Judge gates over a run, and over others of its training where they are over several seeds.

    Args:
        connection: An open database of the store's schema.
        uid: The run.
        gates: The gates.
        iterations: How many the run has in all; what others did beyond does not count.
        complete: Whether it has done them; if not, nothing is judged.
        seeds: The lowest and the highest seed of runs that count.

    Returns:
        One `{metric, at, min, max, seeds, statistic, value, standard_error, runs, judged, passed}`
        per gate: `value` is None where a run has none, `runs` lists each run, its seed and its
        value, `standard_error` is that of their mean, and `passed` is None where it is not judged.
    """
    if not gates:
        return []
    rows = [_row(number, gate) for number, gate in enumerate(gates)]
    columns = dict(zip(_COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
    scope = {"uid": uid, "iterations": iterations, "complete": complete}
    scope |= {"first": seeds[0], "last": seeds[1]}
    found = connection.execute(_verdicts(), columns | scope).fetchall()
    if not found:
        raise UserError(f"run {uid} is not in the database")
    return [
        {
            "metric": gate.metric,
            "at": gate.at,
            "min": gate.min,
            "max": gate.max,
            "seeds": gate.seeds,
            "statistic": gate.statistic,
            "value": value,
            "standard_error": standard_error,
            "runs": runs,
            "judged": judged,
            "passed": passed if judged else None,
        }
        for gate, (_, value, standard_error, runs, judged, passed) in zip(gates, found, strict=True)
    ]


def judge_recorded(
    connection: duckdb.DuckDBPyConnection, uid: str, gates: Sequence[Expect] | None = None
) -> list[dict[str, Any]]:
    """Judge a recorded run, by its own spec's gates unless others are given; see `judge`.

    A run that was one of several with consecutive seeds is judged with those seeds' runs.

    Raises:
        UserError: the run is not in the database, or what it recorded as its spec is none.
    """
    row = connection.execute(_RUN, [uid]).fetchone()
    if row is None:
        raise UserError(f"run {uid} is not in the database")
    spec, target, done = row
    own = _gates_of(uid, spec) if gates is None else gates
    grouped = connection.execute(_SEEDS, [uid]).fetchone()
    limits = {"seeds": (grouped[0], sum(grouped) - 1)} if grouped and None not in grouped else {}
    iterations = INT32_MAX if target is None else target
    return judge(connection, uid, own, iterations=iterations, complete=done >= iterations, **limits)


@contextmanager
def from_journals(
    paths: Iterable[Path], metrics: Collection[str]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a database in memory with some runs' values of `metrics`, read from their journals.

    It takes no look at the one on disk, which may be held by somebody, behind, or not be there.

    Raises:
        UserError: a newer jaxpot wrote a journal.
    """
    connection = database.in_memory()
    try:
        for path in paths:
            try:
                _load(connection, path, metrics)
            except FutureJournalError as error:
                raise UserError(f"{path}: {error}") from error
        yield connection
    finally:
        connection.close()


def _load(connection: duckdb.DuckDBPyConnection, path: Path, metrics: Collection[str]) -> None:
    state, batch = RunState(path.parent.name), Batch()
    marks = [json.dumps(name).encode() for name in metrics]
    with path.open("rb") as lines:
        for line in lines:
            head = line[:_HEAD_BYTES]
            if not line.endswith(b"\n"):
                break
            if b'"payload"' in head:
                # Most iterations have no evaluation, and need no parsing.
                if any(mark in line for mark in marks):
                    _take_values(state, batch, line, metrics)
            elif any(kind in head for kind in (b'"header"', b'"attempt"', b'"end"')):
                take_line(state, batch, line[:-1], state.position)
            state.position += len(line)
            if batch.points >= _BATCH_POINTS:
                batch.insert(connection)
                batch = Batch()
    batch.insert(connection)
    store(connection, [state])


def _take_values(state: RunState, batch: Batch, line: bytes, metrics: Collection[str]) -> None:
    """Take in a payload's values of `metrics`; a damaged line is passed over, as by the ingest."""
    try:
        record = parse(line)
    except ValueError:
        return
    if isinstance(record, Payload):
        record.values = {name: record.values[name] for name in metrics if name in record.values}
        take_payload(state, batch, record, round(record.time * 1e6))


def _gates_of(uid: str, spec: str | None) -> tuple[Expect, ...]:
    from jaxpot.spec import SpecError, from_resolved

    data = json.loads(spec or "{}")
    if not isinstance(data, dict) or not data.get("expect"):
        return ()  # of another program's run, say
    try:
        return from_resolved(data).expect
    except SpecError as error:
        first, *others = str(error).splitlines()
        more = f" (and {len(others)} more)" if others else ""
        raise UserError(
            f"the spec that run {uid} recorded is refused: {first}{more}; "
            "--spec judges the run by another one's gates"
        ) from error


def _row(number: int, gate: Expect) -> tuple[Any, ...]:
    """Give a gate as the query takes it: the values of `_COLUMNS`."""
    place, moment = ("iteration", gate.at) if isinstance(gate.at, int) else (gate.at, None)
    phase = gate.metric.partition("/")[0]
    # The same key of an evaluator that is set otherwise is another measurement.
    evaluator = f"$.eval.{phase.removeprefix(_EVALUATOR)}" if phase.startswith(_EVALUATOR) else None
    bounds = (gate.min, gate.max)
    return (number, gate.metric, place, moment, *bounds, gate.seeds, gate.statistic, evaluator)


@cache
def _verdicts() -> str:
    return resources.files("jaxpot.store").joinpath("verdicts.sql").read_text(encoding="utf-8")
