"""Which checkpoints are the best ones: ranking, and `best/manifest.json`."""

import json
import math
from collections.abc import Iterable
from pathlib import Path

import attrs

from jaxpot.checkpoints.errors import DamagedCheckpoint
from jaxpot.checkpoints.layout import MANIFEST, CheckpointInfo
from jaxpot.checkpoints.metadata import as_json, canonical
from jaxpot.checkpoints.verify import read_metadata
from jaxpot.paths import write_file
from jaxpot.spec import Best

FORMAT_VERSION = 1

_MAX_MANIFEST = 2**24  # bytes


@attrs.frozen
class BestEntry:
    """A checkpoint under `best/`, and the value that it is ranked by."""

    iteration: int
    score: float
    metric: str


def ranked(entries: Iterable[BestEntry], policy: Best) -> tuple[BestEntry, ...]:
    """Sorts entries, the best first; of equal ones the older comes first.

    One that was ranked by another metric (the run was resumed with a changed spec) cannot be
    compared, and comes after those that can: it stays until it is displaced.
    """
    sign = -1.0 if policy.mode == "max" else 1.0
    return tuple(
        sorted(entries, key=lambda e: (e.metric != policy.metric, sign * e.score, e.iteration))
    )


def is_best(entry: BestEntry, entries: Iterable[BestEntry], policy: Best) -> bool:
    """Says whether an entry would be among the `policy.keep` best; NaN never is."""
    others = [other for other in entries if other.iteration != entry.iteration]
    return not math.isnan(entry.score) and entry in ranked([*others, entry], policy)[: policy.keep]


def encode_manifest(entries: Iterable[BestEntry], policy: Best) -> bytes:
    """Writes the text of `best/manifest.json`, the best entry first."""
    best = {"metric": policy.metric, "mode": policy.mode, "keep": policy.keep}
    checkpoints = [{**attrs.asdict(entry), "score": as_json(entry.score)} for entry in entries]
    return canonical({"format_version": FORMAT_VERSION, "best": best, "checkpoints": checkpoints})


def read_manifest(directory: Path) -> dict[int, BestEntry]:
    """Reads the entries of `best/manifest.json` by iteration; none where it cannot be read.

    Every entry's score is in its checkpoint's metadata too: a lost manifest loses nothing.
    """
    return read_policy(directory)[1]


def read_policy(directory: Path) -> tuple[Best | None, dict[int, BestEntry]]:
    """Reads `best/manifest.json`: what ranks the checkpoints, and the entries by iteration."""
    try:
        with open(directory / MANIFEST, "rb") as file:
            body = json.loads(file.read(_MAX_MANIFEST))
        best, mode = body["best"], body["best"]["mode"]
        if mode not in ("max", "min"):
            return None, {}
        policy = Best(metric=str(best["metric"]), mode=mode, keep=int(best["keep"]))
        entries = [
            BestEntry(int(e["iteration"]), float(e["score"]), str(e["metric"]))
            for e in body["checkpoints"]
        ]
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None, {}
    return policy, {entry.iteration: entry for entry in entries if not math.isnan(entry.score)}


def scored(info: CheckpointInfo) -> BestEntry | None:
    """Reads what a checkpoint was ranked by from its own metadata."""
    try:
        metadata = read_metadata(info.path)
    except DamagedCheckpoint:
        return None
    if metadata.score is None or metadata.metric is None:
        return None
    return BestEntry(info.iteration, metadata.score, metadata.metric)


def write_manifest(directory: Path, entries: Iterable[BestEntry], policy: Best) -> None:
    """Writes `best/manifest.json` atomically, if it would change."""
    path, data = directory / MANIFEST, encode_manifest(entries, policy)
    if not path.is_file() or path.read_bytes() != data:
        write_file(path, data, durable=True)
