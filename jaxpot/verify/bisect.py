"""Find where two recorded runs diverge, and train both again up to there.

The records alone give the iteration, and phases and leaves where their digests were recorded.
Training both again gives the elements that differ, and shows whether this code and these versions
still make the recorded bits.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from jaxpot.checkpoints import CheckpointError, newest_whole
from jaxpot.checkpoints.layout import checkpoint_path
from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME, read_record
from jaxpot.store.runs import RunRef, find
from jaxpot.verify.divergence import (
    Divergence,
    LeafDifference,
    Located,
    compare_records,
    compare_states,
    locate,
)
from jaxpot.verify.origins import Origin, Suspect, read_origin, settings_for_bits, suspects
from jaxpot.verify.rerun import Tell, journal_in, silent
from jaxpot.verify.trials import RecordedRun, start


@attrs.frozen(kw_only=True)
class Again:
    """The result of training one side again.

    Attributes:
        fault: Why it could not be trained; None where it was.
        mismatch: The first iteration that differs from its record; None if none does.
    """

    fault: str | None = None
    mismatch: int | None = None

    @property
    def repeats(self) -> bool:
        """Whether it made the recorded bits again, so that it can stand for the record."""
        return self.fault is None and self.mismatch is None


@attrs.frozen(kw_only=True)
class Rerun:
    """The result of training both sides again up to the first iteration that differs.

    Attributes:
        iteration: The first iteration after which the re-runs' own states differ.
        located: The phases and leaves that differ there, by their digests.
        leaves: The leaves that differ after it, by their numbers; None without both sides.
        unread: Why the states' numbers could not be read; None if they were, or are not there.
    """

    a: Again
    b: Again
    iteration: int | None = None
    located: Located | None = None
    leaves: tuple[LeafDifference, ...] | None = None
    unread: str | None = None


@attrs.frozen(kw_only=True)
class Bisection:
    """Everything known about where two runs diverge.

    Attributes:
        recorded: The phases and leaves that differ by the recorded digests; None without digests.
        rerun: The result of training both again; None where it was not done.
    """

    a: RunRef
    b: RunRef
    divergence: Divergence
    recorded: Located | None
    suspects: tuple[Suspect, ...]
    rerun: Rerun | None


def bisect_runs(
    runs_dir: Path,
    run_a: str,
    run_b: str,
    *,
    rerun: bool = True,
    python_a: Path | None = None,
    python_b: Path | None = None,
    tell: Tell = silent,
) -> Bisection:
    """Compare two recorded runs, and train both again up to where they diverge.

    Args:
        runs_dir: The folder of all runs; only read.
        run_a, run_b: A run's uid, the start of one, a name, a tag, or `latest`.
        rerun: Train them again.
        python_a, python_b: The interpreter of each run's environment; this one's when None.
        tell: Called with lines of progress.

    Raises:
        UserError: There are no such two runs, or they have no iteration in common.
    """
    a, b = find(runs_dir, run_a), find(runs_dir, run_b)
    if a.uid == b.uid:
        raise UserError(f"{run_a!r} and {run_b!r} are one run, {a.uid}; name two")
    journals = a.path / JOURNAL_NAME, b.path / JOURNAL_NAME
    divergence = compare_records(*journals)
    iteration = divergence.iteration
    origins = [read_origin(path, divergence.last) for path in journals]
    again = None
    if rerun and iteration is not None:
        again = _rerun((a, b), origins, (python_a, python_b), iteration, tell)
    return Bisection(
        a=a,
        b=b,
        divergence=divergence,
        recorded=None if iteration is None else locate(*journals, iteration),
        suspects=suspects(*origins),
        rerun=again,
    )


def _rerun(
    runs: tuple[RunRef, RunRef],
    origins: list[Origin],
    pythons: tuple[Path | None, Path | None],
    iteration: int,
    tell: Tell,
) -> Rerun:
    with tempfile.TemporaryDirectory(prefix="jaxpot-bisect-") as scratch:
        again: list[Again] = []
        folders: list[Path] = []
        for side, run, origin, python in zip("ab", runs, origins, pythons, strict=True):
            try:
                folder = _train(Path(scratch) / side, run, origin, python, iteration, tell)
            except UserError as error:
                again.append(Again(fault=str(error)))
                continue
            recorded = run.path / JOURNAL_NAME
            again.append(Again(mismatch=compare_records(recorded, folder / JOURNAL_NAME).iteration))
            folders.append(folder)
        if len(folders) < len(runs):
            return Rerun(a=again[0], b=again[1])
        tell("comparing the two states")
        a, b = (folder / JOURNAL_NAME for folder in folders)
        diverged = compare_records(a, b).iteration
        leaves = unread = None
        try:
            leaves = compare_states(*(_saved(folder, iteration) for folder in folders))
        except CheckpointError as error:  # another environment's jaxpot may save another format
            unread = str(error)
        return Rerun(
            a=again[0],
            b=again[1],
            iteration=diverged,
            located=locate(a, b, iteration) if diverged == iteration else None,
            leaves=leaves,
            unread=unread,
        )


def _train(
    runs_dir: Path, run: RunRef, origin: Origin, python: Path | None, iteration: int, tell: Tell
) -> Path:
    """Train a run again from its newest checkpoint before `iteration`; return the new folder.

    Raises:
        UserError: It cannot be trained here, or ended before that iteration was done.
    """
    record = read_record(run.path)
    limit = iteration if record.limit is None else min(iteration, record.limit)
    checkpoint, _ = newest_whole(run.path, limit=limit)
    subject = RecordedRun(
        folder=run.path,
        record=record,
        settings=settings_for_bits(origin.attempt),
        iterations=iteration + 1,
        checkpoint=checkpoint,
    )
    tell(f"running iterations {subject.start} to {iteration} of {run.uid} again")
    spec = lean_spec(origin.spec, iteration)
    other = None if python is None else str(python)
    with start(subject, runs_dir, spec=spec, python=other) as child:
        (result,) = child.finish()["results"]
    folder = journal_in(runs_dir).parent
    if not _saved(folder, iteration).is_dir():
        raise UserError(f"it ended before iteration {iteration}: {result['reason']}")
    return folder


def _saved(folder: Path, iteration: int) -> Path:
    return checkpoint_path(folder, "checkpoints", iteration + 1)


def lean_spec(spec: Mapping[str, Any], iteration: int) -> dict[str, Any]:
    """Return a spec that trains the same bits, with the phases of `iteration` run one by one.

    It leaves out what does not touch training: gates, saves, and all evaluations except those of
    the archive, which move the league's scores. The thread count is a setting of the process.
    """
    lean = {name: value for name, value in spec.items() if name not in ("expect", "checkpoint")}
    evaluators = spec.get("eval", {}).items()
    lean["eval"] = {name: x for name, x in evaluators if x.get("kind") == "archive"}
    runtime = {name: x for name, x in spec.get("runtime", {}).items() if name != "nproc"}
    lean["runtime"] = runtime | {"profile_every": iteration + 1}
    return lean | {"checkpoint": {"every": "none"}}
