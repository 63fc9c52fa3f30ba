"""One checkpoint directory, written so that its final name appears only when it is whole."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from jaxpot.checkpoints import durable
from jaxpot.checkpoints.arrays import HostState, write_arrays
from jaxpot.checkpoints.errors import DamagedCheckpoint
from jaxpot.checkpoints.layout import LEAGUE, METADATA, ensure_place
from jaxpot.checkpoints.metadata import Metadata, canonical, encode
from jaxpot.checkpoints.verify import describe_files, verify

_OVERHEAD = 2**16  # bytes of a checkpoint beside its arrays,
_LEAF_OVERHEAD = 2**9  # and of each array's description


def write_checkpoint(
    final: Path,
    host: HostState,
    *,
    iteration: int,
    created: float,
    types: Iterable[str],
    metadata: Mapping[str, Any],
    league: Sequence[Mapping[str, Any]] | None = None,
    score: float | None = None,
    metric: str | None = None,
) -> Metadata:
    """Writes a state under `final`, or finds it there already; another one there is replaced.

    Raises:
        CheckpointError: The arrays read back otherwise than they were written.
        OSError: The disk is full or fails. Nothing is left behind.
    """
    fresh = Metadata(
        iteration=iteration,
        created=created,
        types=tuple(sorted(types)),
        score=score,
        metric=metric,
        content_sha256=host.content_sha256(),
        leaves=host.leaves,
        files={},
        metadata=metadata,
    )
    known = _whole(final)
    if known is not None and known.same_state(fresh):
        if set(fresh.types) <= set(known.types):
            return known
        fresh = attrs.evolve(fresh, types=tuple(sorted({*known.types, *fresh.types})))
    ensure_place(final.parent)
    # Orbax answers a disk that fills up with pages of traces, so one that is full is not begun on.
    durable.require_space(final.parent, host.nbytes + _OVERHEAD + _LEAF_OVERHEAD * len(host.leaves))
    temporary = durable.aside(final, "tmp")
    try:
        temporary.mkdir()
        write_arrays(temporary, host)
        if league is not None:
            (temporary / LEAGUE).write_bytes(canonical({"entries": list(league)}))
        fresh = attrs.evolve(fresh, files=describe_files(temporary))
        (temporary / METADATA).write_bytes(encode(fresh))
        durable.sync_tree(temporary)
        verify(temporary)
        durable.publish(temporary, final)
    finally:
        durable.discard(temporary)
    return fresh


def link_checkpoint(source: Path, final: Path) -> None:
    """Puts the checkpoint `source` under a second name, sharing its files."""
    known = _whole(final)
    if known is not None and known == verify(source):
        return
    ensure_place(final.parent)
    temporary = durable.aside(final, "tmp")
    try:
        durable.link_tree(source, temporary)
        durable.sync_tree(temporary)
        durable.publish(temporary, final)
    finally:
        durable.discard(temporary)


def _whole(path: Path) -> Metadata | None:
    try:
        return verify(path)
    except DamagedCheckpoint:
        return None
