"""Group runs that train alike except for their seed: they are seeds of one experiment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import attrs

from jaxpot.errors import UserError

if TYPE_CHECKING:
    import duckdb

_RUNS = """
SELECT uid, name, status, iterations, attempts, seed, training_digest
FROM runs WHERE list_contains($1, uid)
"""
_PARAMS = """
SELECT path, uid, value FROM params JOIN runs USING (run_id)
WHERE list_contains($1, uid) ORDER BY path
"""
_TAIL = 6  # random characters at the end of a uid
_NAMED_DIFFERENCES = 3
# Keys about the name and length of a run, not about how it trains.
_NO_LABEL = ("seed", "name", "description", "iterations", "tags")


class Run(NamedTuple):
    uid: str
    name: str
    status: str
    iterations: int
    attempts: int
    seed: int | None
    training_digest: str | None


@attrs.frozen
class Group:
    """Runs that are shown as one: seeds of one experiment, or a single run."""

    label: str
    runs: tuple[Run, ...]

    @property
    def uids(self) -> list[str]:
        return [run.uid for run in self.runs]


class Difference(NamedTuple):
    """A value of the spec that differs between runs; None where a run lacks it."""

    path: str
    values: Mapping[str, str | None]


def read_runs(connection: duckdb.DuckDBPyConnection, uids: Iterable[str]) -> list[Run]:
    """Read runs in the given order, each once.

    Raises:
        UserError: One of them is not in the database.
    """
    wanted = list(dict.fromkeys(uids))
    found = {row[0]: Run(*row) for row in connection.execute(_RUNS, [wanted]).fetchall()}
    for uid in wanted:
        if uid not in found:
            raise UserError(f"run {uid} is not in the database; `jaxpot ls` says why")
    return [found[uid] for uid in wanted]


def differences(connection: duckdb.DuckDBPyConnection, runs: Sequence[Run]) -> list[Difference]:
    """Return every value of the runs' specs that is not the same in all of them."""
    values: dict[str, dict[str, str | None]] = {}
    uids = [run.uid for run in runs]
    for path, uid, value in connection.execute(_PARAMS, [uids]).fetchall():
        values.setdefault(path, dict.fromkeys(uids))[uid] = value
    return [Difference(p, found) for p, found in values.items() if len({*found.values()}) > 1]


def grouped(
    runs: Sequence[Run], found: Sequence[Difference] = (), *, separate: bool = False
) -> tuple[list[Group], list[str]]:
    """Group runs that have one training digest and different seeds.

    Args:
        runs: The runs.
        found: Differences of their specs, which distinguish groups of one name.
        separate: Keep every run separate.

    Returns:
        The groups in the order of their first runs, and a line about each run that is left out
        because a newer one has its seed.
    """
    members: dict[str, list[Run]] = {}
    left_out: list[str] = []
    for run in runs:
        alone = separate or run.training_digest is None or run.seed is None
        members.setdefault(run.uid if alone else str(run.training_digest), []).append(run)
    parts: list[list[Run]] = []
    for together in members.values():
        by_seed = {run.seed: run for run in sorted(together, key=lambda run: run.uid)}
        if len(by_seed) == 1:
            parts += [[run] for run in together]
            continue
        kept = sorted(by_seed.values(), key=lambda run: run.seed or 0)
        for run in together:
            if run not in kept:
                other = by_seed[run.seed].uid
                left_out.append(f"{run.uid} is left out: {other} is newer and has its seed")
        parts.append(kept)
    labels = _labels(parts, found)
    return [Group(label, tuple(part)) for label, part in zip(labels, parts, strict=True)], left_out


def _labels(parts: Sequence[list[Run]], found: Sequence[Difference]) -> list[str]:
    """Name groups by the run's name, then by differences of the specs, then by uid."""
    names = [part[0].name for part in parts]
    labels: list[str] = []
    for part, name in zip(parts, names, strict=True):
        words = [name]
        if names.count(name) > 1:
            words += _distinguishing(part, found)
        if len(part) > 1:
            words.append(f"({len(part)} seeds)")
        elif part[0].seed is not None:
            words.append(f"seed {part[0].seed}")
        labels.append(" ".join(words))
    for characters in (_TAIL, 0):
        counted = Counter(labels)
        labels = [
            f"{label} {part[0].uid[-characters:]}" if counted[label] > 1 else label
            for label, part in zip(labels, parts, strict=True)
        ]
    return labels


def _distinguishing(part: list[Run], found: Sequence[Difference]) -> list[str]:
    """Return the values that distinguish a group's spec from others', where they are few."""
    uids = [run.uid for run in part]
    telling = [
        (difference.path, difference.values[uids[0]])
        for difference in found
        if difference.path not in _NO_LABEL
        and not difference.path.startswith(("tags", "expect", "checkpoint", "runtime"))
        and len({difference.values[uid] for uid in uids}) == 1
    ]
    if len(telling) > _NAMED_DIFFERENCES:
        return []
    return [f"{path.rpartition('.')[2]}={value or '-'}" for path, value in telling]
