"""Judge learning gates by SQL, over the database or over a run's journal when the run ends.

A gate takes one value from a run, which its `at` selects. A gate over several seeds is judged by a
statistic of such values: of this run, and of the newest complete run of every other seed with the
same training. A seed whose run failed early has no value; it is not skipped.
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
"""Event: the run is one of `count` runs with consecutive seeds, starting at `first`."""

_HEAD_BYTES = 64  # a record starts with its kind
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
    """Judge gates over a run and, for gates over several seeds, over runs with the same training.

    Args:
        connection: An open database of the store's schema.
        uid: The run.
        gates: The gates.
        iterations: The run's number of iterations; later iterations of other runs are ignored.
        complete: Whether the run has done all of them; if not, no gate is judged.
        seeds: The lowest and the highest seed to consider.

    Returns:
        One `{metric, at, min, max, seeds, statistic, value, standard_error, runs, judged, passed}`
        per gate. `value` is None if there is none, `runs` lists each run with its seed and value,
        `standard_error` is that of their mean, and `passed` is None if the gate was not judged.
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
    """Judge a recorded run by the given gates, or by those of its spec; see `judge`.

    If it was started together with other seeds, only the runs of those seeds are considered.

    Raises:
        UserError: The run is not in the database, or its recorded spec is not valid.
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
    """Build a database in memory with some runs' values of `metrics`, from their journals.

    It does not need the database on disk, which may be locked, out of date or missing.

    Raises:
        UserError: A newer jaxpot wrote a journal.
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
                # Most iterations have no evaluation: do not parse them.
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
    """Add a payload's values of `metrics`; skip a damaged line, like the ingest."""
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
        return ()  # for example a run of another program
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
    """Return a gate's values of `_COLUMNS`."""
    place, moment = ("iteration", gate.at) if isinstance(gate.at, int) else (gate.at, None)
    phase = gate.metric.partition("/")[0]
    # Runs whose evaluator is configured differently do not measure the same.
    evaluator = f"$.eval.{phase.removeprefix(_EVALUATOR)}" if phase.startswith(_EVALUATOR) else None
    bounds = (gate.min, gate.max)
    return (number, gate.metric, place, moment, *bounds, gate.seeds, gate.statistic, evaluator)


@cache
def _verdicts() -> str:
    return resources.files("jaxpot.store").joinpath("verdicts.sql").read_text(encoding="utf-8")
