"""Every column of every table at its type's ends: it fits, or the line is named and skipped."""

import json
from typing import Any

import pytest

from jaxpot.cli.main import invoke
from jaxpot.journal import (
    KINDS,
    LAST_ITERATION,
    Attempt,
    Journal,
    JournalError,
    Key,
    Payload,
    Standing,
    parse,
)
from jaxpot.journal.read import MAX_DEPTH
from jaxpot.journal.records import INT32_MAX, INT64_MAX
from jaxpot.store import Store
from jaxpot.store.exchange.journals import import_journal
from jaxpot.store.tables import columns_of, table_names
from tests.journal.reading import records
from tests.store.journals import Writer, complete_run

UID = "20261122-101530-aaaaaa"
TIME = 1_795_000_000.0

# Columns that no field of a record goes into: ids, what ingesting counts, and times.
DERIVED = {
    "meta": {"schema_version"},
    "runs": {"status", "iterations", "attempts", "heartbeat", "started", "ended", "exit_reason"}
    | {"git_commit", "git_dirty", "versions", "platform", "device_kind", "device_count", "isa"}
    | {"nproc", "xla_flags", "host", "pid", "argv"},
    "attempts": {"started", "ended"},
    "params": {"path", "value"},
    "keys": {"key_id"},
    "iters": {"time"},
    "metrics": {"attempt", "iter", "key_id", "value32", "value64", "part"},
    "sorted_parts": set(columns_of("sorted_parts")),
    "checkpoints": {"time"},
    "events": {"time"},
    "digests": {"name"},
    "notes": {"time"},
    "journal_pos": set(columns_of("journal_pos")),
}

ENDS = [
    *(0, -1, 127, 128, -128, 32767, 32768, INT32_MAX - 1, INT32_MAX, INT32_MAX + 1, -(2**31) - 1),
    *(2**53, INT64_MAX, INT64_MAX + 1, 2**64, -(2**63) - 1, 10**40, 10**400, 1.0, 0.5, -0.0),
    *(1.7e308, -1.7e308, 5e-324, float("nan"), float("inf"), "NaN", "-Infinity", True, False, None),
    *("", "a\0b", "\ud800", "é\u2028\U0001f600", "x" * 70_000, "\x1b[2J", "'; DROP TABLE runs; --"),
    *(
        [],
        [0],
        [INT64_MAX, INT64_MAX],
        [-1],
        [2**63],
        [True],
        ["\ud800"],
        {},
        {"": 1},
        {"\0": "\0"},
    ),
    *({"a": {"b": [10**400, 1e308]}}, {"\ud800": 1}, {"a": float("nan")}, [[]], {"a.b": {"c": 1}}),
]


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = {"a": value}
    return value


VALUES = [*ENDS, nested(MAX_DEPTH // 2), nested(MAX_DEPTH + 1), nested(600)]


def test_every_column_is_filled_from_some_record(tmp_path):
    run = complete_run(tmp_path, UID)
    run.header(parent="a/checkpoints/000001", spec_version=1)
    run.checkpoint(20, "failed", error="disk full", score=0.5, bytes=1, sha256="e", seconds=0.1)
    run.checkpoint(30, "committed", blocking_seconds=0.1)
    run.start(20, spec={"iterations": 30})
    run.end()
    store = Store(tmp_path)
    for table in table_names():
        for column in columns_of(table):
            ((filled,),) = store.sql(f"SELECT count({column}) FROM {table}")[1]  # noqa: S608
            # The points go where their number says, and a database keeps no value twice.
            assert filled or table in ("metrics", "sorted_metrics", "sorted_parts"), (table, column)


def a_record(kind: str, number: int) -> dict[str, Any]:
    """Gives a small whole record of a kind, another one for each number."""
    base: dict[str, Any] = {"kind": kind, "time": TIME + number, "attempt": 1, "iter": number % 50}
    return base | {
        "header": {"journal_version": 1, "uid": UID},
        "attempt": {"start_iter": 0},
        "keys": {"keys": [{"name": "a"}]},
        "payload": {"values": {"a": 1.0}},
        "digests": {"scope": "leaf", "values": {"a": "ab"}},
        "histogram": {"name": "h", "counts": [1]},
        "standings": {"standings": [{"name": "a"}]},
        "checkpoint": {"type": "periodic", "iteration": 1, "state": "committed", "path": "x"},
        "event": {"name": "expect", "payload": {"metric": "a"}},
        "tag": {"tag": "a"},
        "untag": {"tag": "b"},
        "note": {"text": "a"},
        "end": {"status": "completed", "iterations": 3},
    }.get(kind, {})


def hostile(kind: str) -> list[dict[str, Any]]:
    """Gives records of a kind, in each of which one value is at an end, or beyond it."""
    found: list[dict[str, Any]] = []
    rows = {"keys": {"keys": Key}, "standings": {"standings": Standing}}.get(kind, {})
    for value in VALUES:
        for name in [*KINDS[kind].__struct_encode_fields__, "kind"]:
            found.append(a_record(kind, len(found)) | {name: value})
        for name, inner in rows.items():
            for field in inner.__struct_encode_fields__:
                items = [{"name": "a", field: value}]
                found.append(a_record(kind, len(found)) | {name: items})
        for name in ["values"] if kind in ("payload", "digests") else []:
            found.append(a_record(kind, len(found)) | {name: {"a": value}})
            if isinstance(value, str):
                found.append(a_record(kind, len(found)) | {name: {value: 1.0}})
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_no_value_of_a_field_breaks_a_reader(tmp_path, capsys, kind):
    run = Writer(tmp_path / "there", UID)
    run.header()
    run.start()
    lines = hostile(kind)
    run.raw(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    (tmp_path / "runs").mkdir()
    for _ in range(2):
        imported = import_journal(tmp_path / "runs", run.folder)
    assert imported.action == "skipped"
    fitting = 0
    for line in lines:
        try:
            parse(json.dumps(line).encode())
        except ValueError:
            continue
        fitting += 1
    read = sum(1 for _ in records(run.path))
    assert read == fitting + 3, "ingesting and reading disagree"
    query = "SELECT count(*) FROM events WHERE kind = 'journal_skip'"
    for command in (
        *(["ls"], ["show", UID], ["show", UID, "--json"], ["rebuild"], ["sql", query]),
        *(["sql", f"FROM {table}"] for table in ("runs", "attempts", "summary", "best", "gates")),
        *(["sql", name] for name in ("disk", "checkpoints", "params", "keys")),
        *(["export", UID, "-f", "jsonl", "-o", "-"], ["tag", UID, "mine"], ["ls"]),
    ):
        assert invoke(["--runs-dir", str(tmp_path / "runs"), *command]) == 0, (
            command,
            capsys.readouterr().err[-500:],
        )
        capsys.readouterr()
    ((skipped,),) = Store(tmp_path / "runs").sql(query)[1]
    # Only ingesting holds a header to its uid, and an attempt to those before it.
    if kind not in ("header", "attempt"):
        assert skipped == len(lines) - fitting
    assert skipped > 0


def test_a_writer_refuses_what_fits_no_column(tmp_path):
    with Journal(tmp_path / "j") as journal:
        whole: dict[str, Any] = {"attempt": 1, "iter": LAST_ITERATION, "values": {"a": 1.0}}
        for change in ({"iter": LAST_ITERATION + 1}, {"attempt": -1}, {"values": {"a": "b"}}):
            with pytest.raises(JournalError, match="is refused, and is not written"):
                journal.append(Payload(**{**whole, **change}))
        journal.append(Payload(**whole))
        journal.append(Attempt(attempt=1, start_iter=0, argv=["a\udcffb"]))
    _, attempt = records(tmp_path / "j")
    assert attempt["argv"] == ["a\\udcffb"]


def test_an_import_names_what_is_left_out(tmp_path):
    run = complete_run(tmp_path / "there", UID)
    offset = run.path.stat().st_size
    run.record("payload", attempt=1, iter=INT32_MAX, values={"a": 1.0})
    found = import_journal(tmp_path / "runs", run.folder)
    assert found.action == "imported"
    assert found.detail == (
        f"left out the line at byte {offset}: iter: expected `int` <= {INT32_MAX - 1}"
    )
