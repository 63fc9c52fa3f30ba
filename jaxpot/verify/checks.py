"""The checks behind `jaxpot verify`: of a recorded run, of a spec, of two environments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME, RunRecord, read_record
from jaxpot.loop.provenance import effective_nproc
from jaxpot.loop.restoring import choose
from jaxpot.spec import Loaded
from jaxpot.store import Store
from jaxpot.verify import grade as grades
from jaxpot.verify import trials
from jaxpot.verify.compare import compare
from jaxpot.verify.report import Compared, Report
from jaxpot.verify.rerun import Child, Settings
from jaxpot.verify.settings import (
    attempts_between,
    code_of,
    differing,
    here,
    moved_within,
    settings_of,
)
from jaxpot.verify.subjects import FreshSpec, RecordedRun, Subject, link_runs
from jaxpot.verify.trace import Row, journal_rows, recorded_iterations, recorded_rows
from jaxpot.verify.trials import Tell

RECORDED, RERUN = "recorded", "re-run"


def verify_run(
    store: Store,
    selector: str,
    *,
    iterations: int | None = None,
    checkpoint: str | None = None,
    every: int = 1,
    across_versions: bool = False,
    grade: bool = False,
    tell: Tell,
) -> Report:
    """Trains what a run recorded again and compares it with the store's tables.

    What was found is added to the run's grade, an event of its journal; nothing else is written.

    Args:
        store: The store.
        selector: The run.
        iterations: Stop after that many in all.
        checkpoint: Start from that one of the run's checkpoints; from the beginning when None.
        every: Compare only iterations `t` with `(t + 1) % every == 0`.
        across_versions: Compare whatever differs between then and now.
        grade: Whether to try every aspect of the grade.
        tell: Hears how far it is.

    Raises:
        UserError: There is no such run or checkpoint, nothing to compare, or it cannot be re-run.
    """
    ref = store.find(selector)
    record = read_record(ref.path)
    subject_words = f"run {ref.uid} ({ref.name})"
    stop = recorded_iterations(store, ref.uid)
    stop = stop if iterations is None else min(stop, iterations)
    info = None if checkpoint is None else choose(ref.path, checkpoint, record)
    start = 0 if info is None else info.iteration
    if (stop // every) * every <= start:
        raise UserError(
            f"{subject_words}: there is nothing to compare: {stop} iterations are recorded or "
            f"asked for, and the re-run starts after {start}"
        )
    attempts = attempts_between(ref.path / JOURNAL_NAME, start, stop)
    if not attempts:
        raise UserError(f"{subject_words}: its journal does not say where it was trained")
    settings = settings_of(attempts[0])
    differs = [*moved_within(attempts), *differing(attempts[0], here(settings))]
    if differs and not across_versions:
        return _not_comparable(subject_words, differs)
    subject = RecordedRun(
        folder=ref.path, record=record, settings=settings, iterations=stop, checkpoint=info
    )

    def recorded() -> Iterable[Row]:
        return recorded_rows(store, ref.uid, start=start, stop=stop, every=every)

    with trials.workplace() as work:
        tell(f"re-running {subject_words} from iteration {start} to {stop}")
        asked = trials.request_for(subject, work / "first")
        with Child(asked, settings=settings) as child:
            records = child.records()
            attempt = child.attempt(records)
            differs = [*moved_within(attempts), *differing(attempts[0], attempt)]
            if differs and not across_versions:
                return _not_comparable(subject_words, differs)
            rows = trials.told(child.rows(records), subject, tell)
            comparison = compare(recorded(), rows, stop=not (grade or across_versions))
    found = {}
    notes = _code_note(attempts[0], attempt)
    if not differs:
        found["other_process" if info is None else "resumed"] = grades.entry(comparison)
        if grade:
            found |= _tried(subject, recorded, skip=found.keys(), tell=tell)
    kept, trouble = _keep(ref.path, record, found)
    return Report(
        subject=subject_words,
        compared=(Compared(a=RECORDED, b=RERUN, comparison=comparison),),
        differs=tuple(differs),
        notes=(*notes, *trouble),
        grade=kept,
    )


def verify_spec(
    loaded: Loaded, *, runs_dir: Path, iterations: int | None = None, grade: bool, tell: Tell
) -> Report:
    """Trains a spec twice from fresh processes, and once with a kill and a resume.

    Args:
        loaded: The spec.
        runs_dir: Where an evaluator finds the run that it plays against; not written to.
        iterations: Stop after that many.
        grade: Whether to try every aspect of the grade.
        tell: Hears how far it is.

    Raises:
        UserError: It cannot be trained.
    """
    subject = _fresh(loaded, runs_dir, iterations)
    with trials.workplace() as work:
        tell(f"{loaded.experiment.name}: training in a fresh process")
        first = trials.train(subject, work / "first", tell)
        tell(f"{loaded.experiment.name}: training in another one")
        asked = trials.request_for(subject, work / "second")
        with Child(asked, settings=subject.settings) as child:
            rows = trials.told(child.rows(child.records()), subject, tell)
            again = compare(journal_rows(first), rows, stop=not grade)
        tell(f"{loaded.experiment.name}: training, to be killed and resumed")
        killed = trials.train_killed(subject, work / "killed", tell)
        resumed = compare(journal_rows(first), journal_rows(killed), stop=not grade)
        found = {"other_process": grades.entry(again), "resumed": grades.entry(resumed)}
        if grade:
            found |= _tried(subject, lambda: journal_rows(first), skip=found.keys(), tell=tell)
    return Report(
        subject=f"spec {loaded.files[0]}",
        compared=(
            Compared(a="a process", b="another process", comparison=again),
            Compared(a="a process", b="killed and resumed", comparison=resumed),
        ),
        grade=grades.complete(found),
    )


def verify_against(
    loaded: Loaded,
    python: str,
    *,
    overrides: Sequence[str] = (),
    runs_dir: Path,
    iterations: int | None = None,
    tell: Tell,
) -> Report:
    """Trains a spec under this environment and under another one's interpreter, and compares.

    Each side reads the spec file by itself; both have the same thread count and flags. What
    differs between the environments is told and refuses nothing: that is what is compared.

    Args:
        loaded: The spec, as this environment reads it.
        python: The other environment's interpreter.
        overrides: Those that `loaded` was read with.
        runs_dir: Where an evaluator finds the run that it plays against; not written to.
        iterations: Stop after that many.
        tell: Hears how far it is.

    Raises:
        UserError: It cannot be trained on one of the sides.
    """
    subject = _fresh(loaded, runs_dir, iterations)
    with trials.workplace() as work:
        asked = {
            "action": "run",
            "file": str(Path(loaded.files[0]).resolve()),
            "overrides": list(overrides),
            "iterations": iterations,
        }
        tell(f"{loaded.experiment.name}: training here")
        ours, theirs = work / "here", work / "there"
        for runs in (ours, theirs):
            link_runs(runs_dir, runs)
        with Child(asked | {"runs_dirs": [str(ours)]}, settings=subject.settings) as child:
            records = child.records()
            here_now = child.attempt(records)
            for _ in trials.told(child.rows(records), subject, tell):
                pass
            here_jaxpot = child.finish()["jaxpot"]
        tell(f"{loaded.experiment.name}: training under {python}")
        other = asked | {"runs_dirs": [str(theirs)]}
        with Child(other, settings=subject.settings, python=python) as child:
            records = child.records()
            there_now = child.attempt(records)
            rows = list(trials.told(child.rows(records), subject, tell))
            there_jaxpot = child.finish()["jaxpot"]
        comparison = compare(journal_rows(trials.journal_in(ours)), rows, stop=False)
    same = [f"both train with {here_jaxpot}"] if here_jaxpot == there_jaxpot else []
    return Report(
        subject=f"spec {loaded.files[0]}, here and under {python}",
        compared=(Compared(a="here", b="there", comparison=comparison),),
        differs=tuple(
            text.replace(" then, ", " here, ").replace(" now", " there")
            for text in differing(here_now, there_now)
        ),
        notes=tuple(same),
    )


def _fresh(loaded: Loaded, runs_dir: Path, iterations: int | None) -> FreshSpec:
    threads = loaded.experiment.runtime.nproc or effective_nproc()
    return FreshSpec(
        spec=loaded.resolved,
        settings=Settings(nproc=threads),
        iterations=iterations or loaded.experiment.iterations,
        runs_dir=runs_dir,
    )


_TRIALS: dict[str, Callable[[Subject, Path], Iterable[Row]]] = {
    "other_process": lambda subject, work: journal_rows(trials.train(subject, work, _silent)),
    "same_process": trials.same_process,
    "other_chunking": trials.other_chunking,
    "resumed": lambda subject, work: journal_rows(trials.train_killed(subject, work, _silent)),
    "other_thread_count": trials.other_thread_count,
}


def _tried(
    subject: Subject, expected: Callable[[], Iterable[Row]], *, skip: Iterable[str], tell: Tell
) -> dict[str, Any]:
    """Tries every aspect of a grade but those to skip."""
    found = {}
    for name, trial in _TRIALS.items():
        if name in skip or (name == "resumed" and subject.iterations - subject.start < 2):
            continue
        tell(f"trying: {grades.ASPECTS[name]}")
        with trials.workplace() as work:
            found[name] = grades.entry(compare(expected(), trial(subject, work), stop=False))
    return found


def _keep(folder: Path, record: RunRecord, found: dict[str, Any]) -> tuple[grades.Grade, list[str]]:
    """Adds to a run's grade; says why, where that is not possible."""
    if not found:
        return grades.stored(folder), []
    try:
        return grades.store(folder, found, attempt=record.attempt), []
    except (UserError, OSError) as error:
        grade = grades.complete(grades.stored(folder) | found)
        return grade, [f"the grade is not kept with the run: {error}"]


def _not_comparable(subject: str, differs: Sequence[str]) -> Report:
    return Report(
        subject=subject,
        differs=tuple(differs),
        comparable=False,
        notes=("--across-versions compares anyway, and grades the result",),
    )


def _code_note(then: dict[str, Any], now: dict[str, Any]) -> tuple[str, ...]:
    old, new = code_of(then), code_of(now)
    return () if old == new else (f"the code was {old}, and is {new}",)


def _silent(text: str) -> None:
    del text
