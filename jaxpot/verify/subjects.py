"""What is trained again: a recorded run, as a temporary copy of its beginning, or a spec."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import attrs

from jaxpot.checkpoints.layout import CheckpointInfo, checkpoint_path
from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME, Attempt, Event, Journal, RunRecord, read_header, records
from jaxpot.store.runs import journals, run_dir
from jaxpot.verify.rerun import Settings


class Subject(Protocol):
    """Something that can be trained any number of times, in folders of their own."""

    @property
    def spec(self) -> dict[str, Any]:
        """The resolved spec."""
        ...

    @property
    def settings(self) -> Settings:
        """What a process that trains it starts with."""
        ...

    @property
    def iterations(self) -> int:
        """How many iterations are trained, in all."""
        ...

    @property
    def start(self) -> int:
        """The iteration that training begins with."""
        ...

    def request(
        self, runs_dir: Path, *, spec: Mapping[str, Any], nproc: int | None
    ) -> dict[str, Any]:
        """Fills a fresh runs directory and returns what a child process is asked for."""
        ...


@attrs.frozen(kw_only=True)
class RecordedRun:
    """A recorded run.

    It is trained again as a resume of a copy of its journal's beginning, so that its thread count,
    its parent and its evaluators' opponents are those that were recorded.

    Attributes:
        folder: The run's folder; nothing is ever written to it.
        record: What its journal says.
        settings: Those that were recorded.
        iterations: How many to train, in all.
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

    def request(
        self, runs_dir: Path, *, spec: Mapping[str, Any], nproc: int | None
    ) -> dict[str, Any]:
        """Copies the beginning of the run, and asks to resume it."""
        folder = runs_dir / self.folder.name
        folder.mkdir(parents=True)
        source = self.folder / JOURNAL_NAME
        header = read_header(source)
        if header is None:
            raise UserError(f"{source}: this journal has no header; the run cannot be re-run")
        if header.parent is not None:
            parent = (self.folder.parent / header.parent).resolve()
            header.parent = os.path.relpath(parent, runs_dir.resolve())
        header.spec = dict(spec)
        first = next(records(source, Attempt))
        first.chosen = first.spec = first.spec_toml = None
        first.start_iter, first.nproc = 0, nproc or first.nproc
        with Journal(folder / JOURNAL_NAME) as journal:
            journal.append(header)
            journal.append(first)
            for opponent in self.record.opponents.values():
                journal.append(Event(name="opponent", payload=opponent))
        for opponent in self.record.opponents.values():
            _link(run_dir(self.folder.parent, opponent["run"]), runs_dir)
        asked: dict[str, Any] = {"action": "resume", "uid": self.folder.name}
        if self.checkpoint is not None:
            iteration = self.checkpoint.iteration
            copied = checkpoint_path(folder, "checkpoints", iteration)
            shutil.copytree(self.checkpoint.path, copied)
            asked["checkpoint"] = str(iteration)
        return asked


@attrs.frozen(kw_only=True)
class FreshSpec:
    """A spec that is trained from its beginning.

    Attributes:
        spec: The resolved spec.
        settings: What a process that trains it starts with.
        iterations: How many to train.
        runs_dir: Where an evaluator finds the run that it plays against.
    """

    spec: dict[str, Any]
    settings: Settings
    iterations: int
    runs_dir: Path

    @property
    def start(self) -> int:
        """The iteration that training begins with."""
        return 0

    def request(
        self, runs_dir: Path, *, spec: Mapping[str, Any], nproc: int | None
    ) -> dict[str, Any]:
        """Asks to run the spec."""
        link_runs(self.runs_dir, runs_dir)
        asked = copy.deepcopy(dict(spec))
        if nproc is not None:
            asked["runtime"]["nproc"] = nproc
        return {"action": "run", "spec": asked}


def link_runs(source: Path, runs_dir: Path) -> None:
    """Lets a fresh runs directory show the runs of another one."""
    runs_dir.mkdir(parents=True, exist_ok=True)
    for file in journals(source):
        _link(file.path.parent, runs_dir)


def _link(folder: Path, runs_dir: Path) -> None:
    link = runs_dir / folder.name
    if folder.is_dir() and not link.exists():
        link.symlink_to(folder.resolve(), target_is_directory=True)
