"""Ends a process at each of a writer's steps on the disk in turn, and checks what it left.

Run as a program, with a directory to work in; prints how many steps there were. jax is not
imported, so that forking is safe: what is under test is the order of the steps, not the arrays.
"""

import hashlib
import itertools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from jaxpot.checkpoints import (
    CheckpointWriter,
    list_checkpoints,
    newest_whole,
    verify,
    writer,
)
from jaxpot.checkpoints.metadata import Leaf
from jaxpot.checkpoints.select import read_manifest
from jaxpot.spec import Best, Checkpoint

STEPS = ("fsync", "rename", "link", "mkdir", "unlink", "rmdir")
KILLED = 77
POLICY = Checkpoint(every=1, keep_last=1, best=Best(metric="win", keep=1))
SUPERSEDED_AFTER = 2
SUPERSEDES = {"state": "supersedes", "path": ""}


@attrs.frozen
class Text:
    """A state that is one text."""

    text: str

    @property
    def leaves(self) -> dict[str, Leaf]:
        return {"text": Leaf("uint8", (len(self.text),))}

    @property
    def nbytes(self) -> int:
        return len(self.text)

    def content_sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def write_text(directory: Path, state: Text) -> None:
    (directory / "state").mkdir()
    (directory / "state" / "text").write_text(state.text)


def work(run_dir: Path, record: Callable[[dict[str, Any]], None]) -> None:
    """Does everything that a writer does: saves, links, prunes, displaces, replaces, supersedes."""
    scores = {1: 0.5, 2: 0.9, 3: 0.1}
    saving = CheckpointWriter(run_dir, run_dir.parent, POLICY, record)
    for iteration, score in scores.items():
        types = {"periodic", "best"} | ({"milestone"} if iteration % 2 == 0 else set())
        state = Text(f"state {iteration}")
        saving.save(state, iteration=iteration, types=frozenset(types), metadata={}, score=score)
    saving.wait()
    record(SUPERSEDES)
    saving.supersede_after(SUPERSEDED_AFTER)
    for text in ("other 3", "another 3"):
        types = frozenset({"periodic", "best"})
        saving.save(Text(text), iteration=3, types=types, metadata={}, score=1.0)
    saving.wait()


def die_at(step: int) -> None:
    """Makes the process end before its `step`-th step on the disk, wherever that is taken."""
    count = itertools.count(1)

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if next(count) == step:
                os._exit(KILLED)
            return function(*args, **kwargs)

        return call

    for name in STEPS:
        setattr(os, name, counted(getattr(os, name)))


def check(run_dir: Path, recorded: list[dict[str, Any]]) -> None:
    """Holds what is on the disk to what was recorded, before and after the next start."""
    committed = [r["iteration"] for r in recorded if r["state"] == "committed"]
    found, skipped = newest_whole(run_dir)
    assert not skipped, skipped
    if committed:
        newest = min(max(committed), SUPERSEDED_AFTER if SUPERSEDES in recorded else max(committed))
        assert found is not None
        assert found.iteration >= newest, f"{found} is older than {newest}"

    CheckpointWriter(run_dir, run_dir.parent, POLICY, recorded.append)
    infos = list_checkpoints(run_dir)
    for info in infos:
        verify(info.path)
    base = run_dir / "checkpoints"
    left = [path.name for path in base.rglob(".*")]
    assert not left, left
    best = {info.iteration for info in infos if info.place == "best"}
    assert set(read_manifest(base / "best")[1]) == best
    assert len(best) <= 1

    known: dict[str, str] = {}
    for record in recorded:
        if record["state"] != "begun" or known.get(record["path"]) != "committed":
            known[record["path"]] = record["state"]
    there = {info.path.relative_to(run_dir.parent).as_posix() for info in infos}
    for path, state in known.items():
        if state == "committed":
            assert path in there, f"{path} is recorded as committed and is gone"
        if state == "deleted":
            assert path not in there, f"{path} is recorded as deleted and is there"
    assert there <= known.keys()


def main(folder: Path) -> None:
    """Crashes at each step until one run gets to its end."""
    writer.write_arrays = write_text  # type: ignore[assignment]
    writer.copy_to_host = lambda state: state
    os.fsync = lambda _: None  # a killed process loses nothing of what it wrote, synced or not
    for step in itertools.count(1):
        run_dir = folder / str(step)
        run_dir.mkdir()
        log = os.open(folder / f"{step}.jsonl", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        child = os.fork()
        if child == 0:
            die_at(step)
            work(run_dir, lambda record, log=log: os.write(log, f"{json.dumps(record)}\n".encode()))
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, KILLED), status
        recorded = [
            json.loads(line) for line in (folder / f"{step}.jsonl").read_text().splitlines()
        ]
        try:
            check(run_dir, recorded)
        except AssertionError as error:
            raise AssertionError(f"killed at step {step}: {error}") from error
        if status == 0:
            print(step - 1)  # noqa: T201 - what the test reads
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
