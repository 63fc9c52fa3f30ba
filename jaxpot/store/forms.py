"""Which fields the records of a journal have, and which columns they go into.

Said once, for whatever writes a journal, reads one, or makes rows of it: a record that does not
fit is refused by the writer, and passed over by every reader.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from jaxpot.store import fields
from jaxpot.store.fields import Record
from jaxpot.store.tables import columns_of, required_of

_TABLES = frozenset({"spec", "versions"})
_LISTS = frozenset({"argv"})


class Column(NamedTuple):
    """A column that a field goes into."""

    table: str
    name: str
    kind: str


class Form(NamedTuple):
    """How the fields of a record, or of a table in it, go into columns.

    Attributes:
        columns: The column of each field.
        needed: The fields that must be there.
        rows: Fields that list tables, each of which is a row.
        named: Fields that hold values by their names, and the column of these values.
        words: Fields that list texts.
    """

    columns: Mapping[str, Column]
    needed: frozenset[str]
    rows: Mapping[str, Form]
    named: Mapping[str, Column]
    words: tuple[str, ...]


def _column(table: str, name: str) -> Column:
    return Column(table, name, columns_of(table)[name])


def _form(
    table: str,
    listed: str,
    *,
    optional: str = "",
    needed: str = "",
    rows: Mapping[str, Form] | None = None,
    named: Mapping[str, Column] | None = None,
    words: tuple[str, ...] = (),
) -> Form:
    """Make a form of words `field`, `field:column` or `field:table.column`."""
    columns: dict[str, Column] = {}
    for word in listed.split():
        name, _, place = word.partition(":")
        other, _, column = (place or name).rpartition(".")
        columns[name] = _column(other or table, column)
    must = {name for name, of in columns.items() if of.name in required_of(of.table)}
    must = (must - set(optional.split())) | set(needed.split())
    return Form(columns, frozenset(must), rows or {}, named or {}, words)


_PLACE = (
    "git_commit git_dirty versions platform device_kind device_count isa nproc xla_flags host pid "
    "argv"
)
_DIGESTS = "spec_toml:runs.spec_toml spec_digest:runs.spec_digest"
_DIGESTS += " training_digest:runs.training_digest"


@cache
def forms() -> Mapping[str, Form]:
    """Give the form of each kind of record."""
    standing = _form("league_standings", "name place score rollouts active")
    return {
        "header": _form(
            "runs",
            f"uid name spec {_DIGESTS} contract parent spec_version seed iterations:target",
            optional="name",
            words=("tags",),
        ),
        "attempt": _form(
            "attempts", f"attempt start_iter iterations:target spec {_DIGESTS} {_PLACE}"
        ),
        "keys": _form(
            "keys", "", rows={"keys": _form("keys", "name dtype unit doc phase wall_clock")}
        ),
        "payload": _form(
            "iters", "attempt iter digest", named={"values": _column("metrics", "value")}
        ),
        "digests": _form(
            "digests", "attempt iter scope", named={"values": _column("digests", "digest")}
        ),
        "histogram": _form("histograms", "attempt iter name counts"),
        "standings": _form("league_standings", "attempt iter", rows={"standings": standing}),
        "checkpoint": _form(
            "checkpoints",
            "attempt iteration type:kind state path bytes sha256 score seconds blocking_seconds "
            "error digest:runs.digest",
            needed="path",
        ),
        "event": _form("events", "attempt iter name:kind payload"),
        "tag": _form("tags", "tag"),
        "untag": _form("tags", "tag"),
        "note": _form("notes", "text:note"),
        "end": _form(
            "attempts",
            "attempt status exit_reason digest iterations",
            optional="attempt iterations",
        ),
    }


def completed(record: Record) -> dict[str, Any]:
    """Give a record with each field that its kind may have, None where it says nothing of it.

    What an older jaxpot, or another program, did not write reads as unknown. A record of an
    unknown kind is given as it is.

    Raises:
        ValueError: a field does not fit its column, or one is missing that must be there.
    """
    kind = record.get("kind")
    if not isinstance(kind, str):
        raise ValueError("no kind")
    fields.micros(record)
    form = forms().get(kind)
    if kind != "payload":  # of which there are many, and whose fields are checked one by one
        fields.fit("it", record, "payload", "JSON")
    if form is None:
        return dict(record)
    columns_in(form, record)
    found = {**dict.fromkeys(form.columns), **record}
    for name, inner in form.rows.items():
        items = items_in(record, name)
        for item in items:
            columns_in(inner, item)
        found[name] = [{**dict.fromkeys(inner.columns), **item} for item in items]
    for name, column in form.named.items():
        values_in(record, name, column)
    for name in form.words:
        found[name] = words_in(record, name)
    if kind == "header" and found["name"] is None:
        found["name"] = found["uid"]
    return found


def columns_in(form: Form, record: Record) -> dict[str, Any]:
    """Give a record's values by the columns that they go into, None where it has none.

    Raises:
        ValueError: one does not fit, or is missing that must be there.
    """
    found: dict[str, Any] = {}
    for name, column in form.columns.items():
        value = record.get(name)
        if value is None:
            if name in form.needed:
                raise ValueError(f"no {name}")
        else:
            if column.name in _TABLES and not isinstance(value, Mapping):
                raise ValueError(f"{name} is not a table")
            if column.name in _LISTS and not isinstance(value, list | tuple):
                raise ValueError(f"{name} is not a list")
            value = fields.fit(name, value, column.name, column.kind)
        found[column.name] = value
    return found


def items_in(record: Record, name: str) -> Sequence[Record]:
    """Give the tables that a field lists.

    Raises:
        ValueError: it lists something else.
    """
    listed = record.get(name)
    if not isinstance(listed, list | tuple) or not all(isinstance(x, Mapping) for x in listed):
        raise ValueError(f"{name} are not a list of tables")
    return listed


def words_in(record: Record, name: str) -> list[str]:
    """Give the texts that a field lists; none where there is no such field.

    Raises:
        ValueError: it lists something else.
    """
    listed = record.get(name) or []
    if not isinstance(listed, list | tuple) or not all(isinstance(item, str) for item in listed):
        raise ValueError(f"{name} are not a list of strings")
    return [fields.fit(name, item, name, "VARCHAR") for item in listed]


def values_in(record: Record, name: str, column: Column) -> list[tuple[str, Any]]:
    """Give the values that a field holds by their names.

    Raises:
        ValueError: it holds something else.
    """
    values = fields.mapping(record, name)
    for key in values:
        if not key.isascii():
            key.encode()
    fit, kind = fields.fit, column.kind
    # Most values of most journals are floats already.
    whole = float if kind == "DOUBLE" else None
    return [
        (key, value if type(value) is whole else fit(key, value, column.name, kind))
        for key, value in values.items()
    ]
