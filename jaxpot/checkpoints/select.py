"""Choose a checkpoint: the newest whole one, the best ones, or the one a user names."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from jaxpot.checkpoints.layout import (
    MANIFEST,
    METADATA,
    PLACES,
    CheckpointInfo,
    DamagedCheckpoint,
    in_place,
    list_checkpoints,
    place_dir,
)
from jaxpot.checkpoints.metadata import as_json, canonical
from jaxpot.checkpoints.read import read_metadata, verify
from jaxpot.errors import UserError
from jaxpot.paths import expanded, write_file
from jaxpot.spec import Best

_MANIFEST_VERSION = 1
_MAX_MANIFEST = 2**24  # bytes
_ITERATIONS = re.compile(r"[0-9]{1,18}")
_SHOWN = 8
_PLACE_WORDS = {"checkpoints": "periodic", "milestones": "milestone", "best": "best"}


def newest_whole(
    run_dir: Path, *, limit: int | None = None
) -> tuple[CheckpointInfo | None, list[tuple[Path, str]]]:
    """Find the checkpoint to resume from: the whole one of the highest iteration.

    It looks in all three places: a run may have saved only a milestone or only a best one. Those
    beyond iteration `limit` are ignored.

    Returns:
        The checkpoint, or None, and those newer than it that are damaged, as (path, reason).
    """
    skipped: list[tuple[Path, str]] = []
    newest_first = sorted(list_checkpoints(run_dir), key=lambda info: -info.iteration)
    for info in newest_first:
        if limit is not None and info.iteration > limit:
            continue
        try:
            found = verify(info.path).iteration
            if found != info.iteration:
                reason = f"holds iteration {found}, which is not the one in its name"
                raise DamagedCheckpoint(info.path, METADATA, reason)
        except DamagedCheckpoint as damage:
            skipped.append((info.path, damage.fault))
        else:
            return info, skipped
    return None, skipped


@attrs.frozen
class BestEntry:
    """A checkpoint under `best/`, and the value that it is ranked by."""

    iteration: int
    score: float
    metric: str


def ranked(entries: Iterable[BestEntry], policy: Best) -> tuple[BestEntry, ...]:
    """Sort entries, the best first; of equal ones the older comes first.

    An entry of another metric (the run was resumed with a changed spec) cannot be compared. It
    comes last, so it stays only until it is displaced.
    """
    sign = -1.0 if policy.mode == "max" else 1.0
    return tuple(
        sorted(entries, key=lambda e: (e.metric != policy.metric, sign * e.score, e.iteration))
    )


def is_best(entry: BestEntry, entries: Iterable[BestEntry], policy: Best) -> bool:
    """Return whether an entry would be among the `policy.keep` best; NaN never is."""
    others = [other for other in entries if other.iteration != entry.iteration]
    return not math.isnan(entry.score) and entry in ranked([*others, entry], policy)[: policy.keep]


def write_manifest(directory: Path, entries: Iterable[BestEntry], policy: Best) -> None:
    """Write `best/manifest.json`, the best entry first; atomically, and only if it changes."""
    best = {"metric": policy.metric, "mode": policy.mode, "keep": policy.keep}
    checkpoints = [{**attrs.asdict(entry), "score": as_json(entry.score)} for entry in entries]
    body = {"format_version": _MANIFEST_VERSION, "best": best, "checkpoints": checkpoints}
    path, data = directory / MANIFEST, canonical(body)
    if not path.is_file() or path.read_bytes() != data:
        write_file(path, data, durable=True)


def read_manifest(directory: Path) -> tuple[Best | None, dict[int, BestEntry]]:
    """Read `best/manifest.json`: the ranking rule, and the entries by iteration.

    Returns:
        `(None, {})` where it cannot be read. That loses no entry: every checkpoint has its score
        in its own metadata too.
    """
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


def scored(info: CheckpointInfo, listed: dict[int, BestEntry]) -> BestEntry | None:
    """Return the entry of a checkpoint under `best/`, from the manifest or its own metadata."""
    if info.iteration in listed:
        return listed[info.iteration]
    try:
        metadata = read_metadata(info.path)
    except DamagedCheckpoint:
        return None
    if metadata.score is None or metadata.metric is None:
        return None
    return BestEntry(info.iteration, metadata.score, metadata.metric)


def select_checkpoint(run_dir: Path, selector: str) -> CheckpointInfo:
    """Find the checkpoint of a run that a user names.

    The selector is `latest` (the newest whole one), `best` (the first of the best ones),
    `milestone:N`, or a number of iterations, in any place. Only `latest` looks for a whole one;
    restoring checks the others.

    Raises:
        UserError: There is no such checkpoint; the text lists those there are.
    """
    infos = list_checkpoints(run_dir)
    kind, _, number = selector.partition(":")
    if selector == "latest":
        return _latest(run_dir, infos)
    if selector == "best":
        return _best(run_dir, infos)
    if kind == "milestone" and _ITERATIONS.fullmatch(number):
        found = [i for i in infos if i.place == "milestones" and i.iteration == int(number)]
    elif _ITERATIONS.fullmatch(selector):
        found = [i for i in infos if i.iteration == int(selector)]
    else:
        raise UserError(
            f"{selector!r} is not a checkpoint's name: write latest, best, milestone:N or a number "
            f"of iterations; {_listed(run_dir, infos)}"
        )
    if not found:
        raise _none(run_dir, selector, infos)
    return _first_whole(found)


def checkpoint_at(text: str, runs_dir: Path) -> Path | None:
    """Find the checkpoint directory at a path, as given or relative to `runs_dir`."""
    for path in (expanded(text), runs_dir / text):
        if (path / METADATA).is_file():
            return path
    return None


def _latest(run_dir: Path, infos: Sequence[CheckpointInfo]) -> CheckpointInfo:
    newest, skipped = newest_whole(run_dir)
    if newest is None:
        reasons = "".join(f"\n  {path} is damaged: {reason}" for path, reason in skipped)
        raise UserError(f"{_none(run_dir, 'latest', infos)}{reasons}")
    return newest


def _best(run_dir: Path, infos: Sequence[CheckpointInfo]) -> CheckpointInfo:
    """Rank the checkpoints under `best/`, not the manifest's list, which a kill can leave old."""
    found = {info.iteration: info for info in in_place(run_dir, "best")}
    if len(found) == 1:
        return next(iter(found.values()))
    policy, listed = read_manifest(place_dir(run_dir, "best"))
    if found and policy is None:
        path = place_dir(run_dir, "best") / MANIFEST
        raise UserError(
            f"{path}: cannot be read, so it is unknown whether the highest or the lowest score is "
            f"the best; name a checkpoint by its iterations; {_listed(run_dir, infos)}"
        )
    entries = [e for info in found.values() if (e := scored(info, listed)) is not None]
    if policy is None or not entries:
        raise _none(run_dir, "best", infos)
    return found[ranked(entries, policy)[0].iteration]


def _first_whole(found: Sequence[CheckpointInfo]) -> CheckpointInfo:
    """Prefer a whole one among copies of one iteration, of which one may be damaged."""
    for info in found if len(found) > 1 else ():
        try:
            verify(info.path)
        except DamagedCheckpoint:
            continue
        return info
    return found[0]


def _none(run_dir: Path, selector: str, infos: Sequence[CheckpointInfo]) -> UserError:
    return UserError(
        f"run {run_dir.name} has no checkpoint {selector!r}; {_listed(run_dir, infos)}"
    )


def _listed(run_dir: Path, infos: Iterable[CheckpointInfo]) -> str:
    by_place = {place: [i.iteration for i in infos if i.place == place] for place in PLACES}
    parts = [f"{_PLACE_WORDS[place]} {_numbers(n)}" for place, n in by_place.items() if n]
    return f"there are {', '.join(parts)}" if parts else f"{run_dir.name} has none at all"


def _numbers(iterations: Sequence[int]) -> str:
    shown = ", ".join(map(str, iterations[-_SHOWN:]))
    more = len(iterations) - _SHOWN
    return f"{shown} ({more} older)" if more > 0 else shown
