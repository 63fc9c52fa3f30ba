"""Checkpoint records: what the journal learns of each stage of each checkpoint."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from jaxpot.checkpoints.metadata import Metadata

Record = Callable[[dict[str, Any]], None]


@attrs.frozen
class Records:
    """Tells of one run's checkpoints.

    Attributes:
        runs_dir: What the paths are relative to.
        record: Takes each record, from whichever thread.
    """

    runs_dir: Path
    record: Record

    def relative(self, path: Path) -> str:
        """Writes a path relative to the runs directory, with "/"."""
        return Path(os.path.relpath(path, self.runs_dir)).as_posix()

    def tell(
        self,
        state: str,
        kind: str,
        iteration: int,
        path: Path,
        *,
        bytes: int | None = None,
        digest: str | None = None,
        sha256: str | None = None,
        score: float | None = None,
        seconds: float | None = None,
        blocking_seconds: float | None = None,
        error: str | None = None,
    ) -> None:
        """Records that a checkpoint is begun, committed, deleted or failed.

        Args:
            state: Which of the four.
            kind: Its type: periodic, milestone, best, emergency or final.
            iteration: Iterations done in it.
            path: Its directory.
            bytes: The size of all its files.
            digest: The state's digest, 16 hex digits, as the metadata given with it has it.
            sha256: Of its `metadata.json`, which names the SHA-256 of every other file.
            score: What a best one is ranked by.
            seconds: From the start of writing it, in the background, to this record.
            blocking_seconds: For which the training loop was held up, the save before included.
            error: Why it failed, or why it was deleted other than by the policy.
        """
        self.record(
            {
                "kind": "checkpoint",
                "iteration": iteration,
                "type": kind,
                "state": state,
                "path": self.relative(path),
                "bytes": bytes,
                "digest": digest,
                "sha256": sha256,
                "score": score,
                "seconds": seconds,
                "blocking_seconds": blocking_seconds,
                "error": error,
            }
        )

    def deleted(
        self, kind: str, iteration: int, path: Path, was: Metadata | None, reason: str | None
    ) -> None:
        """Records that a checkpoint is deleted; `was` is its metadata, if that could be read."""
        known: dict[str, Any] = {}
        if was is not None:
            known = {"bytes": was.bytes, "sha256": was.sha256, "digest": digest_of(was.metadata)}
            known["score"] = was.score if kind == "best" else None
        self.tell("deleted", kind, iteration, path, error=reason, **known)


def digest_of(metadata: Mapping[str, Any]) -> str | None:
    """Returns the state's digest from what was given to `save` with it, if it is there."""
    digest = metadata.get("digest")
    return digest if isinstance(digest, str) else None
