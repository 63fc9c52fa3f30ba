"""The ways in which a subject is trained again, each compared with what it is held to."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jaxpot.errors import UserError
from jaxpot.verify.rerun import Child, RerunError, own_journal
from jaxpot.verify.subjects import Subject
from jaxpot.verify.trace import Row, journal_rows

Tell = Callable[[str], None]

_LEAST_FOR_KILL = 2


@contextmanager
def workplace() -> Iterator[Path]:
    """Gives a temporary directory for re-runs."""
    with TemporaryDirectory(prefix="jaxpot-verify-") as made:
        yield Path(made)


def request_for(
    subject: Subject,
    *runs_dirs: Path,
    spec: Mapping[str, Any] | None = None,
    nproc: int | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Returns what a child is asked for, to train a subject in each of some fresh folders."""
    chosen = subject.spec if spec is None else spec
    asked: dict[str, Any] = {}
    for runs_dir in runs_dirs:
        asked = subject.request(runs_dir, spec=chosen, nproc=nproc)
    return {
        "spec": chosen,
        "nproc": nproc or subject.settings.nproc,
        "iterations": subject.iterations,
        **asked,
        "runs_dirs": [str(runs_dir) for runs_dir in runs_dirs],
        **more,
    }


def train(subject: Subject, runs_dir: Path, tell: Tell) -> Path:
    """Trains a subject in a process of its own and returns the journal."""
    with Child(request_for(subject, runs_dir), settings=subject.settings) as child:
        for _ in told(child.rows(child.records()), subject, tell):
            pass
    return journal_in(runs_dir)


def train_killed(subject: Subject, runs_dir: Path, tell: Tell) -> Path:
    """Trains a subject, kills it part way, resumes it, and returns the journal.

    Raises:
        UserError: There are too few iterations to kill it between two.
    """
    length = subject.iterations - subject.start
    if length < _LEAST_FOR_KILL:
        raise UserError(f"a kill and a resume need {_LEAST_FOR_KILL} iterations; this is {length}")
    every = max(1, length // 3)
    kill_at = (subject.start // every + 1) * every
    # Where checkpoints are taken changes no bit; here the first one has to come before the kill.
    spec = copy.deepcopy(dict(subject.spec))
    spec["checkpoint"] |= {"every": every, "milestone_every": "none", "best": "none"}
    asked = request_for(subject, runs_dir, spec=spec, kill_at=kill_at)
    with Child(asked, settings=subject.settings) as child:
        child.killed()
    journal = journal_in(runs_dir)
    tell(f"killed after {kill_at + 1} iterations; resuming")
    again = {
        "action": "resume",
        "uid": journal.parent.name,
        "iterations": subject.iterations,
        "runs_dirs": [str(runs_dir)],
    }
    with Child(again, settings=subject.settings) as child:
        child.finish()
    return journal


def told(rows: Iterable[Row], subject: Subject, tell: Tell) -> Iterator[Row]:
    """Passes rows on, and says how far they are."""
    for row in rows:
        tell(f"iteration {row.iteration + 1} of {subject.iterations}")
        yield row


def journal_in(runs_dir: Path) -> Path:
    """Returns the journal of the one run in a folder."""
    path = own_journal(runs_dir)
    if path is None:
        raise RerunError(f"{runs_dir}: the re-run left no journal")
    return path


def same_process(subject: Subject, work: Path) -> Iterable[Row]:
    """Trains twice in one process and returns the second run's rows."""
    first, second = work / "one", work / "two"
    with Child(request_for(subject, first, second), settings=subject.settings) as child:
        child.finish()
    return journal_rows(journal_in(second))


def other_chunking(subject: Subject, work: Path) -> Iterable[Row]:
    """Trains with every iteration fetched by itself."""
    with Child(request_for(subject, work, chunk=1), settings=subject.settings) as child:
        child.finish()
    return journal_rows(journal_in(work))


def other_thread_count(subject: Subject, work: Path) -> Iterable[Row]:
    """Trains with one thread, or with two where it had one."""
    threads = 2 if subject.settings.nproc == 1 else 1
    with Child(request_for(subject, work, nproc=threads), settings=subject.settings) as child:
        child.finish()
    return journal_rows(journal_in(work))
