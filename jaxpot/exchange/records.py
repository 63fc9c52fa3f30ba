"""Runs as their journals have them: JSON lines, and TensorBoard's event files."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

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

Wanted = Callable[[str], bool]
"""Says whether a key is wanted."""

_MEANT = ("checkpoint", "expect")  # parts of a spec that a sink understands
_FIELDS = ("attempt", "iter", "time", "digest")


def json_lines(refs: Sequence[RunRef], wanted: Wanted) -> Iterator[str]:
    """Yield an object for each live iteration: run, attempt, iteration, time, digest and values.

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
    """Write runs as JSON lines: all into a file `*.jsonl`, or each into a file of a folder.

    Raises:
        UserError: a file is there already.
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
    """Write runs for TensorBoard, each into a folder of its own.

    Raises:
        UserError: one of the folders is there already: event files in one folder are one run's.
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
    """Give a spec, of one that is none of ours (of another program's run) only its values."""
    from jaxpot.spec import SpecError, from_resolved

    try:
        from_resolved(spec)
    except SpecError:
        return {key: value for key, value in spec.items() if key not in _MEANT}
    return spec


def matching(keys: Collection[str], globs: Sequence[str]) -> list[str]:
    """Give the keys that any of `globs` matches, all without globs.

    Raises:
        UserError: a glob matches none.
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
