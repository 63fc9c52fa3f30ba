"""Finds where two runs part: iteration, phase, leaf; and what may have made them part."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from jaxpot.checkpoints import CheckpointError, newest_whole
from jaxpot.checkpoints.layout import checkpoint_path
from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME, read_record
from jaxpot.loop.provenance import instruction_set
from jaxpot.store.runs import RunRef, find
from jaxpot.verify.divergence import Divergence, Located, compare_records, first_mismatch, locate
from jaxpot.verify.rerun import MAX_ISA, Child, Settings
from jaxpot.verify.settings import settings_of
from jaxpot.verify.states import LeafDifference, compare_states
from jaxpot.verify.subjects import RecordedRun
from jaxpot.verify.suspects import Origin, Suspect, read_origin, suspects
from jaxpot.verify.trials import journal_in, request_for


@attrs.frozen(kw_only=True)
class Again:
    """What came of running one side again.

    Attributes:
        fault: Why it could not be; None where it was.
        mismatch: The first iteration at which it did not repeat the record; None if it did.
    """

    fault: str | None = None
    mismatch: int | None = None

    @property
    def repeats(self) -> bool:
        """Whether it gave the recorded bits, so that it speaks for the record."""
        return self.fault is None and self.mismatch is None


@attrs.frozen(kw_only=True)
class Rerun:
    """What came of running both sides again up to the first iteration that differs.

    Attributes:
        a: The first side.
        b: The second side.
        iteration: The first iteration after which the re-runs' own states differ.
        located: Phases and leaves by their digests, where the re-runs part at that iteration.
        leaves: The leaves of the states after it, by their numbers; None without both sides.
        unread: Why the states' numbers could not be read; None where they were, or are not there.
    """

    a: Again
    b: Again
    iteration: int | None = None
    located: Located | None = None
    leaves: tuple[LeafDifference, ...] | None = None
    unread: str | None = None


@attrs.frozen(kw_only=True)
class Bisection:
    """All that is known of where two runs part.

    Attributes:
        a: The first run.
        b: The second run.
        divergence: How far their records agree.
        recorded: What the recorded digests of phases and leaves say; None where there are none.
        suspects: What differs between the runs, most suspicious first.
        rerun: What running both again said; None where it was not done.
    """

    a: RunRef
    b: RunRef
    divergence: Divergence
    recorded: Located | None
    suspects: tuple[Suspect, ...]
    rerun: Rerun | None


def bisect(
    runs_dir: Path,
    run_a: str,
    run_b: str,
    *,
    rerun: bool = True,
    python_a: Path | None = None,
    python_b: Path | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Bisection:
    """Compares two recorded runs, and runs both again up to where they part.

    Args:
        runs_dir: Folder of all runs; nothing in it is changed.
        run_a: A run's uid, the start of one, a name, a tag, or `latest`.
        run_b: The other one.
        rerun: Whether to run them again.
        python_a: The interpreter of the first run's environment; this one's when None.
        python_b: Likewise of the second run's.
        note: Told what is being done.

    Raises:
        UserError: There are no such two runs, or they have no iteration in common.
    """
    a, b = find(runs_dir, run_a), find(runs_dir, run_b)
    if a.uid == b.uid:
        raise UserError(f"{run_a!r} and {run_b!r} are one run, {a.uid}; name two")
    journals = a.path / JOURNAL_NAME, b.path / JOURNAL_NAME
    divergence = compare_records(*journals)
    origins = [
        read_origin(path, attempt)
        for path, attempt in zip(journals, divergence.attempts, strict=True)
    ]
    recorded = again = None
    if divergence.iteration is not None:
        recorded = locate(*journals, divergence.iteration)
        if rerun:
            again = _rerun(
                (a, b), (origins[0], origins[1]), (python_a, python_b), divergence.iteration, note
            )
    return Bisection(
        a=a,
        b=b,
        divergence=divergence,
        recorded=recorded,
        suspects=suspects(*origins),
        rerun=again,
    )


def _rerun(
    runs: tuple[RunRef, RunRef],
    origins: tuple[Origin, Origin],
    pythons: tuple[Path | None, Path | None],
    iteration: int,
    note: Callable[[str], None],
) -> Rerun:
    with tempfile.TemporaryDirectory(prefix="jaxpot-bisect-") as scratch:
        again: list[Again] = []
        folders: list[Path] = []
        for side, run, origin, python in zip("ab", runs, origins, pythons, strict=True):
            try:
                folder = _train(Path(scratch) / side, run, origin, python, iteration, note)
            except UserError as error:
                again.append(Again(fault=str(error)))
                continue
            mismatch = first_mismatch(run.path / JOURNAL_NAME, folder / JOURNAL_NAME, iteration)
            again.append(Again(mismatch=mismatch))
            folders.append(folder)
        if len(folders) < len(runs):
            return Rerun(a=again[0], b=again[1])
        note("comparing the two states")
        a, b = (folder / JOURNAL_NAME for folder in folders)
        parted = compare_records(a, b).iteration
        leaves = unread = None
        try:
            leaves = compare_states(*(_saved(folder, iteration) for folder in folders))
        except CheckpointError as error:  # of another jaxpot, say, with another format
            unread = str(error)
        return Rerun(
            a=again[0],
            b=again[1],
            iteration=parted,
            located=locate(a, b, iteration) if parted == iteration else None,
            leaves=leaves,
            unread=unread,
        )


def _train(
    runs_dir: Path,
    run: RunRef,
    origin: Origin,
    python: Path | None,
    iteration: int,
    note: Callable[[str], None],
) -> Path:
    """Trains a run again, from its newest checkpoint before `iteration`; returns the new folder.

    Raises:
        UserError: It cannot be trained here, or ended before that iteration was done.
    """
    record = read_record(run.path)
    limit = iteration if record.limit is None else min(iteration, record.limit)
    start, _ = newest_whole(run.path, limit=limit)
    subject = RecordedRun(
        folder=run.path,
        record=record,
        settings=recorded_settings(origin.attempt),
        iterations=iteration + 1,
        checkpoint=start,
    )
    note(f"running iterations {subject.start} to {iteration} of {run.uid} again")
    asked = request_for(subject, runs_dir, spec=lean_spec(origin.spec, iteration))
    other = None if python is None else str(python)
    with Child(asked, settings=subject.settings, python=other) as child:
        (result,) = child.finish()["results"]
    folder = journal_in(runs_dir).parent
    if not _saved(folder, iteration).is_dir():
        raise UserError(f"it ended before iteration {iteration}: {result['reason']}")
    return folder


def _saved(folder: Path, iteration: int) -> Path:
    return checkpoint_path(folder, "checkpoints", iteration + 1)


def lean_spec(spec: Mapping[str, Any], iteration: int) -> dict[str, Any]:
    """Returns a spec that trains the same bits, with the phases of `iteration` taken one by one.

    What stands beside training is left out: gates, saves, and evaluations but those of the
    archive, which move the league's scores. The thread count is a setting of the process.
    """
    lean = {name: value for name, value in spec.items() if name not in ("expect", "checkpoint")}
    evaluators = spec.get("eval", {}).items()
    lean["eval"] = {name: x for name, x in evaluators if x.get("kind") == "archive"}
    runtime = {name: x for name, x in spec.get("runtime", {}).items() if name != "nproc"}
    lean["runtime"] = runtime | {"profile_every": iteration + 1}
    return lean | {"checkpoint": {"every": "none"}}


def recorded_settings(attempt: Mapping[str, Any]) -> Settings:
    """Returns what a process starts with to make an attempt's record again.

    An instruction set that is narrower than this machine's is asked for by name.
    """
    flags, isa = attempt.get("xla_flags") or "", attempt.get("isa")
    capped = f"{flags} {MAX_ISA}={isa}".strip()
    if instruction_set(xla_flags=flags) != isa == instruction_set(xla_flags=capped):
        flags = capped
    return attrs.evolve(settings_of(attempt), xla_flags=flags)
