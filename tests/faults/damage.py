"""Damaged files: checkpoints, journals and the database."""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxpot.loop import run as runner
from jaxpot.loop.observer import Observer, RunResult
from jaxpot.store import Store, database
from tests.faults.quiet import quietly
from tests.faults.tally import Tally
from tests.loop.leagues import league_experiment
from tests.loop.running import trace
from tests.store.journals import Writer, complete_run
from tests.store.test_ingest import everything

Damage = Callable[[Path, random.Random], None]
ITERATIONS = 10
SAVED = 8


def flip(path: Path, rng: random.Random) -> None:
    """Flips one bit."""
    data = bytearray(path.read_bytes())
    if not data:
        data = bytearray(b"\0")
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def truncate(path: Path, rng: random.Random) -> None:
    """Cuts the end off."""
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: rng.randrange(max(1, size))] or b"x")


DAMAGES: dict[str, Damage] = {
    "truncated": truncate,
    "flipped": flip,
    "removed": lambda path, _: path.unlink(),
    "emptied": lambda path, _: path.write_bytes(b"") and None,
}


class Listening(Observer):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


@contextmanager
def compiled_once() -> Iterator[None]:
    """Lets every attempt of one spec in this process use one set of programs."""
    from jaxpot.loop import train as training
    from jaxpot.loop.programs import Programs

    made: list[Programs] = []

    def reuse(graph, context, on_compile):
        if not made:
            made.append(Programs(graph, context, on_compile))
        made[0].on_compile = on_compile
        return made[0]

    training.Programs = reuse  # type: ignore[misc, assignment]
    try:
        yield
    finally:
        training.Programs = Programs  # type: ignore[misc]


def checkpoints(folder: Path, seed: int, *, every: int = 1) -> Tally:
    """Damages each file of the newest checkpoint in each way; the run resumes from the one before.

    Args:
        folder: Where to work.
        seed: Of where the damage falls.
        every: Tries only each so many cases.
    """
    tally, rng = Tally(), random.Random(seed)
    experiment = league_experiment(iterations=ITERATIONS)
    with compiled_once():
        whole = runner.run(experiment, runs_dir=folder / "whole", ingest=False)
        cut = runner.run(experiment, runs_dir=folder / "cut", iterations=SAVED, ingest=False)
        newest = f"{SAVED:06d}"
        base = cut.run_dir / "checkpoints" / newest
        files = sorted(path.relative_to(base) for path in base.rglob("*") if path.is_file())
        cases = [(file, kind) for file in files for kind in DAMAGES]
        for file, kind in cases[::every]:
            runs_dir = folder / "case"
            copied = Path(shutil.copytree(cut.run_dir.parent, runs_dir)) / cut.run_dir.name
            for place in ("checkpoints", "checkpoints/best", "checkpoints/milestones"):
                path = copied / place / newest / file
                if path.exists():
                    DAMAGES[kind](path, rng)
            with tally.case(f"a checkpoint's file {kind}", str(file)):
                passes_over(runs_dir, whole, newest)
            shutil.rmtree(runs_dir)
    return tally


def passes_over(runs_dir: Path, whole: RunResult, newest: str) -> None:
    """The damaged one is named, and the run's end is the unstopped run's."""
    listening = Listening()
    found = runner.resume(runs_dir, "latest", observer=listening, ingest=False)
    assert found.status == "completed", found
    named = [text for text in listening.warnings if newest in text and "damaged" in text]
    assert named, listening.warnings
    assert found.digest == whole.digest, "another state"
    assert trace(found) == trace(whole), "other rows"


def journals_and_database(folder: Path, seed: int) -> Tally:
    """Damages journals and the database in each way."""
    tally, rng = Tally(), random.Random(seed)
    for name, case in _STORE_CASES.items():
        runs_dir = folder / name.replace(" ", "-")
        runs_dir.mkdir(parents=True)
        run = complete_run(runs_dir, "20261122-101530-aaaaaa")
        complete_run(runs_dir, "20261122-101530-bbbbbb", name="other")
        Store(runs_dir).ingest()
        with tally.case(name):
            case(runs_dir, run, rng)
            assert_rebuilds(runs_dir)
    return tally


def assert_rebuilds(runs_dir: Path) -> None:
    """`jaxpot rebuild` gives the rows that are there, in every table."""
    before = everything(runs_dir)
    code, _, err = quietly("--runs-dir", str(runs_dir), "rebuild")
    assert code == 0, err
    after = everything(runs_dir)
    differ = [table for table in before if before[table] != after[table]]
    assert not differ, f"rebuilt with other rows in {differ}"


def _torn(runs_dir: Path, run: Writer, rng: random.Random) -> None:
    del rng
    points = Store(runs_dir).sql("SELECT count(*) FROM metrics")[1]
    run.raw(b'{"kind":"payload","time":17950000')
    assert Store(runs_dir).sql("SELECT count(*) FROM metrics")[1] == points


def _garbage(runs_dir: Path, run: Writer, rng: random.Random) -> None:
    lines = run.path.read_bytes().splitlines(keepends=True)
    lines[len(lines) // 2] = rng.randbytes(40).replace(b"\n", b"") + b"\n"
    run.path.write_bytes(b"".join(lines))
    assert invoke_quietly(runs_dir, "rebuild") == 0
    reported: list[str] = []
    Store(runs_dir, notify=reported.append).runs()
    skipped = Store(runs_dir).sql("SELECT count(*) FROM events WHERE kind = 'journal_skip'")[1]
    assert skipped == [(1,)], "the damaged line is not named"


def _future(runs_dir: Path, run: Writer, rng: random.Random) -> None:
    del rng
    later = Writer(runs_dir, "20261122-101530-cccccc")
    later.header(journal_version=2)
    reported: list[str] = []
    assert len(Store(runs_dir, notify=reported.append).runs()) == 3
    assert any("version 2" in line and "upgrade" in line for line in reported), reported
    before = later.path.read_bytes()
    code, _, err = quietly("--runs-dir", str(runs_dir), "resume", later.uid)
    assert code == 2, err
    assert "version 2" in err, err
    assert later.path.read_bytes() == before, "a newer journal was written to"
    shutil.rmtree(later.folder)


def _missing(runs_dir: Path, run: Writer, rng: random.Random) -> None:
    del run, rng
    before = everything(runs_dir)
    database.remove(Store(runs_dir).path)
    assert everything(runs_dir) == before


def _damaged(runs_dir: Path, run: Writer, rng: random.Random) -> None:
    del run
    before = everything(runs_dir)
    path = Store(runs_dir).path
    size = path.stat().st_size
    for content in (b"", b"x" * 10_000, path.read_bytes()[: size // 2], rng.randbytes(size)):
        path.write_bytes(content)
        code, _, err = quietly("--runs-dir", str(runs_dir), "ls")
        assert code == 2 or not content, (code, err)
        assert "jaxpot rebuild" in err or code == 0, err
        assert invoke_quietly(runs_dir, "rebuild") == 0
        assert everything(runs_dir) == before


def _other_schema(by: int) -> Callable[[Path, Writer, random.Random], None]:
    def case(runs_dir: Path, run: Writer, rng: random.Random) -> None:
        del run, rng
        before = everything(runs_dir)
        path = Store(runs_dir).path
        connection = database.connect(path, read_only=False)
        connection.execute("UPDATE meta SET schema_version = schema_version + ?", [by])
        connection.close()
        code, _, err = quietly("--runs-dir", str(runs_dir), "ls")
        if by > 0:
            assert code == 2, err
            assert "jaxpot rebuild" in err, err
            assert "newer" in err, err
            assert invoke_quietly(runs_dir, "rebuild") == 0
        else:
            assert code == 0, err
            assert "was rebuilt from the journals" in err, err
        assert everything(runs_dir) == before

    return case


def invoke_quietly(runs_dir: Path, *arguments: str) -> int:
    """Runs a command; its exit status."""
    return quietly("--runs-dir", str(runs_dir), *arguments)[0]


_STORE_CASES: dict[str, Callable[[Path, Writer, random.Random], None]] = {
    "a torn last line": _torn,
    "garbage in the middle": _garbage,
    "a journal of a future version": _future,
    "no database": _missing,
    "a damaged database": _damaged,
    "an older schema": _other_schema(-1),
    "a newer schema": _other_schema(1),
}
