"""Disks that are full, folders that cannot be written to, folders that are gone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.faults.outcomes import Outcome, outcome_of
from tests.faults.processes import ROOT, answer, count, end, finished, start, wait_until
from tests.faults.specs import write_specs
from tests.faults.tally import Tally

# From "not even the header", over journal, saves and database, to "all but the end".
SIZES_KB = (8, 48, 96, 160, 256, 400, 600, 900, 1400, 2500, 4500, 6000)
LINES = (1, 3, 7, 20, 60, 130)
NOBODY = 65534
_MOUNTED = 'mount -t tmpfs -o size="$1" none "$2" && shift 2 && "$@"; code=$?; '
_MOUNTED += 'cp -a "$FROM/." "$TO/"; exit $code'


def all_disks(folder: Path) -> Tally:
    """Fills disks of several sizes, and takes folders away."""
    tally = Tally()
    spec = write_specs(folder / "specs")["plain"]
    finished(folder / "whole", "run", str(spec))
    whole = outcome_of(folder / "whole")
    if can_mount(folder / "probe"):
        for size in SIZES_KB:
            with tally.case("a small disk", f"of {size} KiB"):
                small_disk(spec, folder / f"{size}", size, whole)
    else:
        tally.untried["a small disk"] = "no tmpfs can be mounted here"
    for lines in LINES:
        with tally.case("no room from a line on", f"({lines})"):
            no_room(spec, folder / f"line-{lines}", lines, whole)
    if os.geteuid() == 0 and not _others_may_run():
        tally.untried["a read-only folder"] = "root writes anywhere, and others cannot run Python"
    else:
        with tally.case("a read-only folder"):
            read_only(spec, folder / "read-only")
    with tally.case("a folder removed under a run"):
        removed(spec, folder / "removed", whole=False)
    with tally.case("all runs removed under a run"):
        removed(spec, folder / "all-removed", whole=True)
    return tally


def _others_may_run() -> bool:
    try:
        command = [sys.executable, "-c", ""]
        return subprocess.run(command, check=False, user=NOBODY, cwd="/").returncode == 0
    except PermissionError:
        return False


def can_mount(folder: Path) -> bool:
    """Says whether this process may mount its own disk."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", str(folder)]
    try:
        return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0
    except FileNotFoundError:
        return False


def small_disk(spec: Path, folder: Path, size: int, whole: Outcome) -> None:
    """Runs on a disk of `size` KiB, then resumes what it left where there is room."""
    mount, runs_dir = folder / "mount", folder / "runs"
    for each in (mount, runs_dir):
        each.mkdir(parents=True)
    process = start(
        mount,
        "run",
        str(spec),
        wrapper=("unshare", "-rm", "sh", "-c", _MOUNTED, "sh", f"{size}k", str(mount)),
        env={"FROM": str(mount), "TO": str(runs_dir)},
    )
    ends_clearly(process)
    goes_on(spec, runs_dir, whole)


def no_room(spec: Path, runs_dir: Path, lines: int, whole: Outcome) -> None:
    """Runs until its journal has some lines, when there is no room any more."""
    fault = {"step": "full", "after": lines}
    ends_clearly(start(runs_dir, "run", str(spec), fault=fault), may_finish=False)
    goes_on(spec, runs_dir, whole)


def ends_clearly(process: subprocess.Popen[str], *, may_finish: bool = True) -> None:
    """Waits for a run on a full disk: it says so in a line, or it finished."""
    code, result, err = answer(process)
    said = err + str(result.get("reason", ""))
    full = any(text in said for text in ("No space left", "disk is full", "make room"))
    assert full or (code == 0 and may_finish), f"exit status {code}, and does not say why: {said}"
    assert code in (0, 1), (code, said)
    lines = [line for line in err.splitlines() if line.startswith("error:")]
    assert code == 0 or 1 <= len(lines) <= 2, err
    assert len(err) < 6000, f"{len(err)} characters of messages: {err[:3000]}"


def goes_on(spec: Path, runs_dir: Path, whole: Outcome) -> None:
    """With room again, what was left is resumed to the unstopped run's bits."""
    there = any(True for _ in runs_dir.glob("2*/journal.jsonl"))
    finished(runs_dir, *(("resume", "latest") if there else ("run", str(spec))))
    differ = outcome_of(runs_dir).differences(whole)
    assert not differ, f"differs in {differ}"


def read_only(spec: Path, runs_dir: Path) -> None:
    """A run is refused in a line before anything is compiled; readers answer from what is there."""
    runs_dir.mkdir(parents=True)
    runs_dir.chmod(0o555)
    options: dict[str, Any] = {}
    if os.geteuid() == 0:
        options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        spec = Path(shutil.copy(spec, runs_dir.parent / "readable.toml"))
        for each in (spec.parent, *spec.parent.parents):
            if each.stat().st_uid == 0 and each != Path("/"):
                each.chmod(each.stat().st_mode | 0o055)
        spec.chmod(0o644)
    code, _, err = answer(
        start(runs_dir, "run", str(spec), env={"HOME": "/nonexistent"}, **options)
    )
    assert code == 2, (code, err)
    assert "no permission to write" in err, err
    command = [sys.executable, "-m", "jaxpot.cli.main", "--runs-dir", str(runs_dir), "ls"]
    reader = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, **options
    )
    assert reader.returncode == 0, reader.stderr
    assert not list(runs_dir.iterdir()), "something was written"


def removed(spec: Path, runs_dir: Path, *, whole: bool) -> None:
    """A run whose folder is removed fails and says so; it does not pass for a completed one."""
    process = start(runs_dir, "run", str(spec), "-s", "iterations=100000")
    wait_until(process, lambda: count(runs_dir, "payload") >= 5)
    for path in [runs_dir] if whole else list(runs_dir.glob("2*")):
        while path.exists():
            shutil.rmtree(path, ignore_errors=True)
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"it went on for 60 s: {end(process)}") from None
    code, result, err = answer(process)
    assert code == 1, (code, result, err)
    assert "error:" in err, err
    left = [str(path) for path in runs_dir.rglob("*")] if runs_dir.exists() else []
    assert not [path for path in left if "checkpoints" in path], f"made again: {left}"
