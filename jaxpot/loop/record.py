"""What a run's journal says of it: enough to resume the run or to tell how it ended."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from jaxpot.errors import UserError
from jaxpot.store.history import live_payloads, records
from jaxpot.store.journal import JOURNAL_NAME, JOURNAL_VERSION

ROWS = "v2"
"""Version of the rows contract: which rows an iteration has, and what their targets rest on.

Under v1, which no journal names, every iteration began new games.
"""

SUPERSEDED = "superseded"
"""Event: every checkpoint beyond the start of an attempt is deleted."""

_NOT_JSON = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@attrs.frozen(kw_only=True)
class RunRecord:
    """A run as its journal has it.

    Attributes:
        spec: Resolved form of the newest attempt's spec.
        attempt: Number of the newest attempt.
        nproc: Thread count of the first attempt, which every later one must have.
        provenance: The newest attempt's record: versions, platform, device, instruction set.
        finished: Whether the newest attempt ended by itself, not interrupted, failed or killed.
        done: Iterations done in all when it ended; 0 where it did not.
        digest: Digest of the state it ended with.
        checkpoint: The newest committed checkpoint, relative to the runs directory.
        time: Seconds of the newest attempt by what they went on.
        opponents: Where the opponents of evaluators come from, by the evaluators' prefixes.
        parent: The checkpoint whose network the run started with, relative to the runs directory.
        parent_sha256: Of that checkpoint's arrays.
        limit: Where an attempt started that chose an older checkpoint and was killed before the
            newer ones were deleted: what lies beyond it is superseded. None otherwise.
        unsettled: Records of saves that were begun and of which nothing more was recorded.
    """

    path: Path
    spec: dict[str, Any]
    attempt: int
    nproc: int | None
    provenance: dict[str, Any]
    finished: bool
    done: int
    digest: str
    checkpoint: str | None
    time: dict[str, float]
    opponents: dict[str, dict[str, Any]]
    parent: str | None
    parent_sha256: str | None
    limit: int | None
    unsettled: tuple[dict[str, Any], ...]

    def require_rows(self) -> None:
        """Refuses a run whose rows this version of jaxpot would not go on with.

        Raises:
            UserError: The run was trained under another rows contract.
        """
        rows = rows_of(self.provenance)
        if self.attempt and rows != ROWS:
            raise UserError(
                f"{self.path}: this run was trained under rows contract {rows}, and this jaxpot "
                f"has {ROWS}: it cannot go on to the same bits. Resume it with the jaxpot that "
                "trained it, or start a new run from its network: jaxpot run SPEC --init-from RUN"
            )

    def last(self, *, below: int | None = None) -> dict[str, Any]:
        """Returns each key's last value, of live rows before iteration `below` only."""
        last: dict[str, Any] = {}
        for values in payloads(self.path, below=below):
            last.update(values)
        return last


def rows_of(attempt: Mapping[str, Any]) -> Any:
    """Returns the version of the rows contract that an attempt trained under."""
    return attempt.get("rows", "v1")


def payloads(path: Path, *, below: int | None = None) -> Iterator[dict[str, Any]]:
    """Yields each live iteration's payload in order, those before iteration `below` only."""
    for row in live_payloads(path):
        if below is None or row["iter"] < below:
            yield {key: _NOT_JSON.get(x, x) for key, x in row["values"].items()}


def read_record(folder: Path) -> RunRecord:
    """Reads the journal of the run in `folder`.

    Raises:
        UserError: The journal has no header or no spec, or a newer jaxpot wrote it.
    """
    path = folder / JOURNAL_NAME
    kinds = ("header", "attempt", "checkpoint", "event", "end")
    header: dict[str, Any] | None = None
    attempts: list[dict[str, Any]] = []
    end: dict[str, Any] | None = None
    committed: list[str] = []
    limit: int | None = None
    spent: dict[str, float] = {}
    opponents: dict[str, dict[str, Any]] = {}
    begun: dict[tuple[str, int], dict[str, Any]] = {}
    for row in records(path, kinds=kinds):
        if row["kind"] == "checkpoint":
            begun.pop((row["type"], row["iteration"]), None)
            if row["state"] == "begun":
                begun[row["type"], row["iteration"]] = row
        match row["kind"]:
            case "header":
                header = header or row
            case "attempt":
                attempts.append(row)
                end, spent = None, {}
                if row.get("from") or limit is not None:
                    limit = row["start_iter"]
            case "checkpoint" if row["state"] == "committed" and row["type"] != "best":
                committed.append(row["path"])
            case "checkpoint" if row["state"] == "deleted":
                committed = [path for path in committed if path != row["path"]]
            case "event" if row["name"] == SUPERSEDED:
                limit = None
            case "event" if row["name"] == "time" and isinstance(row.get("payload"), dict):
                named = row["payload"].items()
                spent = {name: s for name, s in named if isinstance(s, int | float)}
            case "event" if row["name"] == "opponent" and isinstance(row.get("payload"), dict):
                opponents.setdefault(str(row["payload"].get("evaluator")), row["payload"])
            case "end":
                end = row
    if header is None:
        raise UserError(f"{path}: this journal has no header; the run cannot be resumed")
    version = header.get("journal_version")
    if isinstance(version, int) and version > JOURNAL_VERSION:
        raise UserError(
            f"{path}: this journal has version {version}, this jaxpot writes {JOURNAL_VERSION}; "
            "upgrade jaxpot"
        )
    specs = [row["spec"] for row in [header, *attempts] if row.get("spec")]
    if not specs:
        raise UserError(f"{path}: this journal says no spec; the run cannot be resumed")
    return RunRecord(
        path=path,
        spec=specs[-1],
        attempt=attempts[-1]["attempt"] if attempts else 0,
        nproc=attempts[0].get("nproc") if attempts else None,
        provenance=attempts[-1] if attempts else {},
        finished=end is not None and end.get("status") in ("completed", "gate_missed", "stopped"),
        done=(end.get("iterations") or 0) if end is not None else 0,
        digest=(end.get("digest") or "") if end is not None else "",
        checkpoint=committed[-1] if committed else None,
        time=spent,
        opponents=opponents,
        parent=header.get("parent"),
        parent_sha256=header.get("parent_sha256"),
        limit=limit,
        unsettled=tuple(begun.values()),
    )
