"""The checks of `jaxpot verify`: a recorded run, a spec, a spec in two environments.

`runs_dir` holds the runs that a spec's evaluators may play against, and is only read; `tell` is
called with lines of progress.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME, read_record
from jaxpot.loop.environment import effective_nproc
from jaxpot.loop.restoring import choose
from jaxpot.spec import Loaded
from jaxpot.store import Store
from jaxpot.verify import trials
from jaxpot.verify.compare import Row, compare, journal_rows, recorded_iterations, recorded_rows
from jaxpot.verify.origins import (
    attempts_between,
    code_of,
    differing,
    here,
    moved_within,
    settings_of,
)
from jaxpot.verify.report import (
    ASPECTS,
    Compared,
    Report,
    add_to_grade,
    aspect,
    complete_grade,
    read_grade,
)
from jaxpot.verify.rerun import Settings, Tell
from jaxpot.verify.trials import FreshSpec, RecordedRun, Subject

TRIALS: dict[str, Callable[[Subject, Path], Path]] = {
    "other_process": trials.train,
    "same_process": lambda subject, work: trials.train(subject, work / "one", work / "two"),
    "other_chunking": lambda subject, work: trials.train(subject, work, chunk=1),
    "resumed": trials.train_killed,
    "other_thread_count": lambda subject, work: trials.train(
        subject, work, nproc=2 if subject.settings.nproc == 1 else 1
    ),
}
"""How each aspect of a grade is tried: train in a fresh folder, return the journal."""


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
    """Train a recorded run again and compare it with the store's tables.

    The result is added to the run's grade, an event of its journal; nothing else is written.

    Args:
        selector: A run's uid, the start of one, a name, a tag, or `latest`.
        iterations: Stop after that many in all.
        checkpoint: Start from this checkpoint of the run; from the beginning when None.
        every: Compare only iterations `t` with `(t + 1) % every == 0`.
        across_versions: Compare even where machine or versions differ.
        grade: Try every aspect of the grade.

    Raises:
        UserError: There is no such run or checkpoint, nothing to compare, or it cannot be re-run.
    """
    ref = store.find(selector)
    record = read_record(ref.path)
    name = f"run {ref.uid} ({ref.name})"
    stop = recorded_iterations(store, ref.uid)
    stop = stop if iterations is None else min(stop, iterations)
    info = None if checkpoint is None else choose(ref.path, checkpoint, record)
    start = 0 if info is None else info.iteration
    if (stop // every) * every <= start:
        raise UserError(
            f"{name}: there is nothing to compare: {stop} iterations are recorded or asked for, "
            f"and the re-run starts after {start}"
        )
    attempts = attempts_between(ref.path / JOURNAL_NAME, start, stop)
    if not attempts:
        raise UserError(f"{name}: its journal does not say where it was trained")
    settings = settings_of(attempts[0])
    moved = moved_within(attempts)
    differs = [*moved, *differing(attempts[0], here(settings))]
    if differs and not across_versions:
        return _not_comparable(name, differs)
    subject = RecordedRun(
        folder=ref.path, record=record, settings=settings, iterations=stop, checkpoint=info
    )

    def recorded() -> Iterable[Row]:
        return recorded_rows(store, ref.uid, start=start, stop=stop, every=every)

    with trials.workplace() as work:
        tell(f"re-running {name} from iteration {start} to {stop}")
        with trials.start(subject, Path(work) / "first", tell=tell) as child:
            attempt = child.attempt()
            differs = [*moved, *differing(attempts[0], attempt)]
            if differs and not across_versions:
                return _not_comparable(name, differs)
            comparison = compare(recorded(), child.rows(), stop=not (grade or across_versions))
    then, now = code_of(attempts[0]), code_of(attempt)
    notes = [] if then == now else [f"the code was {then}, and is {now}"]
    kept = read_grade(ref.path)
    if not differs:
        found = {"other_process" if info is None else "resumed": aspect(comparison)}
        if grade:
            found |= _try_others(subject, recorded, tried=found.keys(), tell=tell)
        try:
            kept = add_to_grade(ref.path, found, attempt=record.attempt)
        except (UserError, OSError) as error:
            kept = complete_grade(kept | found)
            notes.append(f"the grade is not kept with the run: {error}")
    return Report(
        subject=name,
        compared=(Compared(a="recorded", b="re-run", comparison=comparison),),
        differs=tuple(differs),
        notes=tuple(notes),
        grade=kept,
    )


def verify_spec(
    loaded: Loaded, *, runs_dir: Path, iterations: int | None = None, grade: bool, tell: Tell
) -> Report:
    """Train a spec twice from fresh processes, and once with a kill and a resume.

    With `grade`, every other aspect of the grade is tried too.

    Raises:
        UserError: It cannot be trained.
    """
    subject, name = _fresh(loaded, runs_dir, iterations), loaded.experiment.name
    with trials.workplace() as folder:
        work = Path(folder)
        tell(f"{name}: training in a fresh process")
        first = trials.train(subject, work / "first", tell=tell)
        tell(f"{name}: training in another one")
        with trials.start(subject, work / "second", tell=tell) as child:
            again = compare(journal_rows(first), child.rows(), stop=not grade)
        tell(f"{name}: training, to be killed and resumed")
        killed = trials.train_killed(subject, work / "killed", tell)
        resumed = compare(journal_rows(first), journal_rows(killed), stop=not grade)
        found = {"other_process": aspect(again), "resumed": aspect(resumed)}
        if grade:
            found |= _try_others(
                subject, lambda: journal_rows(first), tried=found.keys(), tell=tell
            )
    return Report(
        subject=f"spec {loaded.files[0]}",
        compared=(
            Compared(a="a process", b="another process", comparison=again),
            Compared(a="a process", b="killed and resumed", comparison=resumed),
        ),
        grade=complete_grade(found),
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
    """Train a spec in this environment and in another one, and compare.

    Each side reads the spec file by itself; both have the same thread count and flags. What
    differs between the environments is reported and refuses nothing: it is what is being tested.

    Args:
        loaded: The spec, as this environment reads it.
        python: The other environment's interpreter.
        overrides: The overrides that `loaded` was read with.
        iterations: Stop after that many.

    Raises:
        UserError: It cannot be trained on one of the sides.
    """
    subject = _fresh(loaded, runs_dir, iterations)
    from_file = {"file": str(Path(loaded.files[0]).resolve()), "overrides": list(overrides)}
    attempts: list[dict[str, Any]] = []
    packages: list[str] = []
    traces: list[list[Row]] = []
    with trials.workplace() as work:
        for side, interpreter in (("here", None), (f"under {python}", python)):
            tell(f"{loaded.experiment.name}: training {side}")
            runs = Path(work) / str(len(traces))
            with trials.start(subject, runs, python=interpreter, tell=tell, **from_file) as child:
                attempts.append(child.attempt())
                traces.append(list(child.rows()))
                packages.append(child.finish()["jaxpot"])
    comparison = compare(*traces, stop=False)
    same = [f"both train with {packages[0]}"] if packages[0] == packages[1] else []
    return Report(
        subject=f"spec {loaded.files[0]}, here and under {python}",
        compared=(Compared(a="here", b="there", comparison=comparison),),
        differs=tuple(
            text.replace(" then, ", " here, ").replace(" now", " there")
            for text in differing(*attempts)
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


def _try_others(
    subject: Subject, expected: Callable[[], Iterable[Row]], *, tried: Iterable[str], tell: Tell
) -> dict[str, Any]:
    """Try every aspect of a grade that is not tried yet."""
    found = {}
    for name, trial in TRIALS.items():
        if name in tried or (name == "resumed" and subject.iterations - subject.start < 2):
            continue
        tell(f"trying: {ASPECTS[name]}")
        with trials.workplace() as work:
            journal = trial(subject, Path(work) / "runs")
            found[name] = aspect(compare(expected(), journal_rows(journal), stop=False))
    return found


def _not_comparable(subject: str, differs: Sequence[str]) -> Report:
    return Report(
        subject=subject,
        differs=tuple(differs),
        outcome="not_comparable",
        notes=("--across-versions compares anyway, and grades the result",),
    )
