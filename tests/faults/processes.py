"""Runs of the campaign as processes, and what to wait for before something is done to them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jaxpot.store.runs import journals
from tests.journal.reading import records

ROOT = Path(__file__).parent.parent.parent
TIMEOUT_SECONDS = 300


def start(
    runs_dir: Path,
    *arguments: str,
    fault: Mapping[str, Any] | None = None,
    wrapper: tuple[str, ...] = (),
    **options: Any,
) -> subprocess.Popen[str]:
    """Starts `jaxpot run` or `resume`, with a fault inside it if one is given."""
    program = ["-m", "jaxpot.cli.main"]
    if fault is not None:
        program = ["-m", "tests.faults.victim", json.dumps(dict(fault))]
    command = [
        *wrapper,
        sys.executable,
        *program,
        "--runs-dir",
        str(runs_dir),
        *arguments,
        "--json",
    ]
    # One thread each: the campaign is about faults, and shares the machine.
    environment = {**os.environ, "NPROC": "1", **options.pop("env", {})}
    return subprocess.Popen(
        command,
        text=True,
        cwd=ROOT,
        env=environment,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def answer(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    """Waits for a process: its exit status, the JSON that it ended with, and what it said."""
    try:
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise AssertionError(f"it hung for {TIMEOUT_SECONDS} s") from None
    assert "Traceback" not in err, err
    lines = [line for line in out.splitlines() if line.startswith("{")]
    return process.returncode, json.loads(lines[-1]) if lines else {}, err


def finished(runs_dir: Path, *arguments: str) -> dict[str, Any]:
    """Runs or resumes to the end, which must be a good one."""
    code, result, err = answer(start(runs_dir, *arguments))
    assert code == 0, f"exit status {code}: {err}"
    assert result["status"] == "completed", result
    return result


def count(runs_dir: Path, kind: str) -> int:
    """Counts the records of a kind in the journals."""
    return sum(1 for file in journals(runs_dir) for _ in records(file.path, kinds=(kind,)))


def wait_until(process: subprocess.Popen[str], there: Callable[[], bool]) -> None:
    """Waits until something is there, or the process has ended."""
    while process.poll() is None and not there():
        time.sleep(0.004)


def children(pid: int) -> list[int]:
    """Lists a process's children; Linux only."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(word) for word in text.split()]


def end(process: subprocess.Popen[str]) -> str:
    """Kills a process, if it is still there, and returns what it had said."""
    process.kill()
    return process.communicate()[1]
