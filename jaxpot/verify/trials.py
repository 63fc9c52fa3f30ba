"""Recorded runs and specs to train again, and the ways to train them.

Each training has a fresh runs directory and at least one child process. Where a recorded run is
trained again, that is a resume of a copy of its journal's beginning, so that its thread count, its
parent and its evaluators' opponents are the recorded ones.
"""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import attrs

from jaxpot.checkpoints import CheckpointInfo
from jaxpot.checkpoints.layout import checkpoint_path
from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME, Attempt, Event, Journal, RunRecord, read_header, records
from jaxpot.store.runs import journals, run_dir
from jaxpot.verify.rerun import Child, Settings, Tell, journal_in, silent

_LEAST_FOR_KILL = 2


@attrs.frozen(kw_only=True)
class RecordedRun:
    """A recorded run.

    Attributes:
        folder: The run's folder; it is only read.
        iterations: How many iterations to train, in all.
        checkpoint: The checkpoint to start from; the beginning when None.
    """

    folder: Path
    record: RunRecord
    settings: Settings
    iterations: int
    checkpoint: CheckpointInfo | None = None

    @property
    def spec(self) -> dict[str, Any]:
        """The resolved spec of the newest attempt."""
        return self.record.spec

    @property
    def start(self) -> int:
        """The iteration that training begins with."""
        return 0 if self.checkpoint is None else self.checkpoint.iteration

    def prepare(self, runs_dir: Path, spec: dict[str, Any], nproc: int | None) -> dict[str, Any]:
        """Copy the beginning of the run into a fresh runs directory, and ask to resume it."""
        folder = runs_dir / self.folder.name
        folder.mkdir(parents=True)
        source = self.folder / JOURNAL_NAME
        header = read_header(source)
        if header is None:
            raise UserError(f"{source}: this journal has no header; the run cannot be re-run")
        if header.parent is not None:
            parent = (self.folder.parent / header.parent).resolve()
            header.parent = os.path.relpath(parent, runs_dir.resolve())
        header.spec = spec
        first = next(records(source, Attempt))
        first.chosen = first.spec = first.spec_toml = None
        first.start_iter, first.nproc = 0, nproc or first.nproc
        with Journal(folder / JOURNAL_NAME) as journal:
            journal.append(header)
            journal.append(first)
            for opponent in self.record.opponents.values():
                journal.append(Event(name="opponent", payload=opponent))
                _link(run_dir(self.folder.parent, opponent["run"]), runs_dir)
        asked: dict[str, Any] = {"action": "resume", "uid": self.folder.name}
        if self.checkpoint is not None:
            iteration = self.checkpoint.iteration
            shutil.copytree(self.checkpoint.path, checkpoint_path(folder, "checkpoints", iteration))
            asked["checkpoint"] = str(iteration)
        return asked


@attrs.frozen(kw_only=True)
class FreshSpec:
    """A spec that is trained from its beginning.

    Attributes:
        spec: The resolved spec.
        runs_dir: The runs that its evaluators may play against; only read. None for none.
    """

    start: ClassVar[int] = 0
    spec: dict[str, Any]
    settings: Settings
    iterations: int
    runs_dir: Path | None = None

    def prepare(self, runs_dir: Path, spec: dict[str, Any], nproc: int | None) -> dict[str, Any]:
        """Link other runs into a fresh runs directory, and ask to run the spec."""
        runs_dir.mkdir(parents=True, exist_ok=True)
        if self.runs_dir is not None:
            for file in journals(self.runs_dir):
                _link(file.path.parent, runs_dir)
        asked = copy.deepcopy(spec)
        if nproc is not None:
            asked["runtime"]["nproc"] = nproc
        return {"action": "run", "spec": asked}


Subject = RecordedRun | FreshSpec
"""Something that can be trained any number of times."""


def request_for(
    subject: Subject,
    *runs_dirs: Path,
    spec: Mapping[str, Any] | None = None,
    nproc: int | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Make fresh runs directories, and return the request to a child to train a subject in each.

    Args:
        spec: Another spec that trains the same bits; the subject's own when None.
        nproc: Another number of threads; the subject's own when None.
        more: Further entries: `chunk`, the most iterations that are dispatched before their metrics
            are fetched; `kill_at`, the iteration after which the child kills itself.
    """
    chosen = dict(subject.spec if spec is None else spec)
    asked = [subject.prepare(runs_dir, chosen, nproc) for runs_dir in runs_dirs]
    return {
        "spec": chosen,
        "nproc": nproc or subject.settings.nproc,
        "iterations": subject.iterations,
        **asked[-1],
        "runs_dirs": [str(runs_dir) for runs_dir in runs_dirs],
        **more,
    }


def start(
    subject: Subject,
    *runs_dirs: Path,
    python: str | None = None,
    tell: Tell = silent,
    **changes: Any,
) -> Child:
    """Start a child that trains a subject in fresh runs directories; `changes` as in `request_for`.

    See `Child` for `python` and `tell`.
    """
    request = request_for(subject, *runs_dirs, **changes)
    return Child(request, settings=subject.settings, python=python, tell=tell)


def train(subject: Subject, *runs_dirs: Path, tell: Tell = silent, **changes: Any) -> Path:
    """Train a subject in a child and return the journal in the last of the runs directories."""
    with start(subject, *runs_dirs, tell=tell, **changes) as child:
        for _ in child.rows():
            pass
    return journal_in(runs_dirs[-1])


def train_killed(subject: Subject, runs_dir: Path, tell: Tell = silent) -> Path:
    """Train a subject, kill it part way, resume it, and return the journal.

    Raises:
        UserError: There are too few iterations to kill it between two.
    """
    length = subject.iterations - subject.start
    if length < _LEAST_FOR_KILL:
        raise UserError(f"a kill and a resume need {_LEAST_FOR_KILL} iterations; this is {length}")
    every = max(1, length // 3)
    kill_at = (subject.start // every + 1) * every
    # Where checkpoints are taken changes no bit; here one must come before the kill.
    spec = copy.deepcopy(dict(subject.spec))
    spec["checkpoint"] |= {"every": every, "milestone_every": "none", "best": "none"}
    with start(subject, runs_dir, spec=spec, kill_at=kill_at) as child:
        child.wait_killed()
    journal = journal_in(runs_dir)
    tell(f"killed after {kill_at + 1} iterations; resuming")
    resume(journal, settings=subject.settings, iterations=subject.iterations)
    return journal


def resume(journal: Path, *, settings: Settings, iterations: int) -> dict[str, Any]:
    """Resume a run in a child until it has `iterations` in all, and return the child's answer."""
    folder = journal.parent
    request = {"action": "resume", "uid": folder.name, "iterations": iterations}
    with Child(request | {"runs_dirs": [str(folder.parent)]}, settings=settings) as child:
        return child.finish()


def workplace() -> TemporaryDirectory[str]:
    """Make a temporary directory for re-runs."""
    return TemporaryDirectory(prefix="jaxpot-verify-")


def _link(folder: Path, runs_dir: Path) -> None:
    link = runs_dir / folder.name
    if folder.is_dir() and not link.exists():
        link.symlink_to(folder.resolve(), target_is_directory=True)
