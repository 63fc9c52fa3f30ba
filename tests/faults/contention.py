"""Many processes in one folder of runs, and a stranger who holds the database."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from jaxpot.store import Store, database
from jaxpot.store.runs import journals
from tests.faults.processes import ROOT, answer, start
from tests.faults.specs import write_specs
from tests.faults.tally import Tally
from tests.journal.reading import live_payloads

READER = """
import subprocess, sys
answers = 0
while True:
    done = subprocess.run(
        [sys.executable, "-m", "jaxpot.cli.main", "--runs-dir", sys.argv[1], "sql", "--csv",
         "SELECT count(*) - count(DISTINCT (uid, iter, key)) AS doubled FROM metric"],
        capture_output=True, text=True,
    )
    if done.returncode or "Traceback" in done.stderr or done.stdout.split()[1:] != ["0"]:
        sys.exit(f"{done.returncode}: {done.stdout}{done.stderr}")
    answers += 1
    print(answers, flush=True)
"""
HOLD = """
import duckdb, sys, time
while True:
    try:
        connection = duckdb.connect(sys.argv[1])
        break
    except duckdb.Error:
        time.sleep(0.01)
print("held", flush=True)
sys.stdin.readline()
"""
SYNTHETIC = """
import sys, time
from pathlib import Path
sys.path.insert(0, ".")
from jaxpot.store import RunLock
from jaxpot.trackers.process import SideProcess
from tests.store.journals import Writer
run = Writer(Path(sys.argv[1]), sys.argv[2])
with RunLock(run.folder):
    process = SideProcess(run.folder, interval=0.3)
    run.header()
    run.start()
    until = time.monotonic() + float(sys.argv[3])
    iteration = 0
    while time.monotonic() < until:
        run.payload(iteration)
        iteration += 1
        time.sleep(0.02)
    run.end(iterations=iteration)
undone = process.stop()
print(f"the database lags behind the journal: {undone}" if undone else "done")
"""


@contextmanager
def python(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Runs a program beside the runs, and ends it with the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "NPROC": "1"},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def contention(folder: Path, *, runs: int, readers: int, seconds: float, real: bool) -> Tally:
    """Runs at once, with readers, while a stranger holds the database for `seconds`.

    Args:
        folder: Where to work.
        runs: How many runs at once.
        readers: How many processes ask all the while.
        seconds: How long the database is held, from when a reader has been reported of it.
        real: Whether the runs train; journals alone are written otherwise.
    """
    tally = Tally()
    runs_dir = folder / "runs"
    runs_dir.mkdir(parents=True)
    spec = write_specs(folder / "specs")["plain"]
    with tally.case(f"{runs} runs, {readers} readers, held for {seconds:g} s"):
        together(runs_dir, spec, runs=runs, readers=readers, seconds=seconds, real=real)
    return tally


def together(
    runs_dir: Path, spec: Path, *, runs: int, readers: int, seconds: float, real: bool
) -> None:
    """Lets all of them loose, and counts every row at the end.

    Raises:
        AssertionError: A run or a reader failed, or a row was lost or doubled.
    """
    with ExitStack() as stack:
        if real:
            writers = [
                start(runs_dir, "run", str(spec), "--seed", str(seed), "-s", "iterations=3000")
                for seed in range(runs)
            ]
        else:
            uids = [f"20261122-101530-{number:06x}" for number in range(runs)]
            writers = [
                stack.enter_context(python(SYNTHETIC, runs_dir, uid, seconds + 1.5)) for uid in uids
            ]
        asking = [stack.enter_context(python(READER, runs_dir)) for _ in range(readers)]
        while not (runs_dir / database.DATABASE_NAME).exists():
            assert any(writer.poll() is None for writer in writers), "there never was a database"
            time.sleep(0.02)
        path = runs_dir / database.DATABASE_NAME
        holder = stack.enter_context(python(HOLD, path))
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n", "the database was never free"
        reported: list[str] = []
        Store(runs_dir, notify=reported.append, wait=0.1).runs()
        # An ingest that waits for the stranger may keep jaxpot's own lock meanwhile.
        assert any("held by" in line or "kept by" in line for line in reported), (
            f"not said: {reported}"
        )
        time.sleep(seconds)
        holder.stdin.write("\n")
        holder.stdin.flush()
        for writer in writers:
            if real:
                code, result, err = answer(writer)
                assert (code, result["status"]) == (0, "completed"), err
            else:
                out, err = writer.communicate(timeout=120)
                assert writer.returncode == 0, err
                assert "done" in out or "held by" in out or "kept by" in out, out
        holder.wait(timeout=60)
        for reader in asking:
            assert reader.stdout is not None
            answered = reader.stdout.readline()
            assert answered, f"a reader failed: {reader.communicate()}"
            assert reader.poll() is None, f"a reader failed later: {reader.communicate()}"
            reader.send_signal(signal.SIGKILL)
    rows_of = {file.uid: list(live_payloads(file.path)) for file in journals(runs_dir)}
    assert len(rows_of) == runs, f"{len(rows_of)} journals"
    store = Store(runs_dir)
    found = store.sql(
        "SELECT uid, count(*), count(DISTINCT (iter, key)) FROM metric GROUP BY uid ORDER BY uid"
    )[1]
    expected = {uid: sum(len(row["values"]) for row in rows) for uid, rows in rows_of.items()}
    assert found == [(uid, expected[uid], expected[uid]) for uid in sorted(expected)], (
        "rows were lost or doubled"
    )
    assert not any(row.lag_bytes for row in store.runs()), "the database still lags"
