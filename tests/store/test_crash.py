"""Many processes at once, some killed: nothing is lost and nothing doubled."""

import contextlib
import random
import subprocess
import sys
import time

import pytest

from jaxpot.store import Store, database
from tests.store.journals import Writer

pytestmark = pytest.mark.slow

WRITERS = 3
ITERATIONS = 400
KILLS = 12

WRITE = """
import sys, time
from pathlib import Path
from jaxpot.journal import Journal, Payload
from jaxpot.store import RunLock
folder, iterations = Path(sys.argv[1]), int(sys.argv[2])
with RunLock(folder), Journal(folder / "journal.jsonl") as journal:
    for t in range(iterations):
        values = {"iter": t, **{f"key/{k}": t + k / 8 for k in range(19)}}
        values["key/nan"] = float("nan")
        journal.append(Payload(attempt=1, iter=t, values=values))
        time.sleep(0.005)
"""

INGEST = """
import sys
from jaxpot.store import Store, batch
batch.PART_POINTS = 200  # so that they are also killed while they sort
store = Store(sys.argv[1])
store.ingest()
print("ready", flush=True)
while True:
    store.ingest(wait=0.2)
"""

READ = """
import sys
from jaxpot.store import Store
store = Store(sys.argv[1])
while True:
    store.runs()
    columns, rows = store.sql("SELECT uid, count(*), count(DISTINCT iter) FROM metric GROUP BY uid")
    assert all(points == 21 * iterations for _, points, iterations in rows), rows
    print(len(rows), flush=True)
"""


def start(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


def test_sigkill_loses_and_doubles_nothing(runs_dir):
    draw = random.Random(0)
    runs = [Writer(runs_dir, f"20261122-101530-{n:06x}") for n in range(WRITERS)]
    for run in runs:
        run.header()
        run.start()
    with contextlib.ExitStack() as stack:
        begin = [stack.enter_context(start(WRITE, run.folder, ITERATIONS)) for run in runs]
        reader = stack.enter_context(start(READ, runs_dir))
        stack.callback(reader.kill)
        ingesters = [start(INGEST, runs_dir) for _ in range(2)]
        for kill in range(KILLS):
            victim = ingesters[kill % 2]
            assert victim.stdout is not None
            victim.stdout.readline()
            time.sleep(draw.uniform(0, 0.15))
            assert victim.poll() is None, "an ingester failed by itself"
            victim.kill()
            victim.communicate()
            ingesters[kill % 2] = start(INGEST, runs_dir)
        for ingester in ingesters:
            ingester.kill()
            ingester.communicate()
        assert [writer.wait() for writer in begin] == [0] * WRITERS
        assert reader.poll() is None, "the reader failed"
        reader.kill()
        said, _ = reader.communicate()
        assert said.split(), "the reader never got an answer"
    store = Store(runs_dir)
    query = (
        "SELECT uid, count(*), count(DISTINCT (iter, key)), sum(value) FILTER (isfinite(value)) "
        "FROM metric GROUP BY uid ORDER BY uid"
    )
    total = sum(t + sum(t + k / 8 for k in range(19)) for t in range(ITERATIONS))
    points = 21 * ITERATIONS
    assert store.sql("SELECT count(*) > 0 FROM sorted_parts")[1] == [(True,)]
    assert store.sql("SELECT DISTINCT points FROM summary")[1] == [(ITERATIONS,)]
    assert store.sql(query)[1] == [(run.uid, points, points, total) for run in runs]
    assert store.sql("SELECT count(*) FROM iters")[1] == [(WRITERS * ITERATIONS,)]
    assert [row.lag_bytes for row in store.runs()] == [0] * WRITERS


KILLED_WHILE_CREATING = """
import os, sys
from pathlib import Path
from jaxpot.store import database
real = database.define
def half(connection):
    real(connection)
    os.kill(os.getpid(), 9)
database.define = half
from jaxpot.store import Store

Store(sys.argv[1]).ingest()
"""


def test_killed_while_the_database_is_made(runs_dir, run):
    run.payload(0)
    done = subprocess.run([sys.executable, "-c", KILLED_WHILE_CREATING, str(runs_dir)], check=False)
    assert done.returncode == -9
    assert not (runs_dir / database.DATABASE_NAME).exists()
    assert Store(runs_dir).ingest().points == 4


FULL_DISK = """
import resource, sys
from jaxpot.store import Store
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
report = Store(sys.argv[1]).ingest()
print(report.points, report.problem)
"""


def test_a_full_disk_is_said_and_breaks_nothing(runs_dir, run):
    run.payloads(range(10))
    store = Store(runs_dir)
    store.ingest()
    for iteration in range(10, 400):
        run.payload(iteration, {f"key/{n}": n * 0.37 + iteration for n in range(200)})
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(runs_dir), "100000"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(store.path) in done.stdout
    assert "File too large" in done.stdout
    with database.connect(store.path, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM metrics").fetchone() == (40,)
    assert store.sql("SELECT count(*), max(iter) FROM metric")[1] == [(400 * 4 + 390 * 200, 399)]
