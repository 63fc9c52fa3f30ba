"""A killed writer leaves whole checkpoints only, and the next one settles the rest."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jaxpot.checkpoints import list_checkpoints, newest_whole, verify
from jaxpot.checkpoints.select import read_manifest
from jaxpot.spec import Best

from .conftest import Run

pytestmark = pytest.mark.slow

SAVING = """
import sys
import numpy as np
from pathlib import Path
from jaxpot.checkpoints import CheckpointWriter
from jaxpot.spec import Best, Checkpoint

run_dir, first = Path(sys.argv[1]), int(sys.argv[2])
policy = Checkpoint(keep_last=2, best=Best(metric="win", keep=2))

def record(entry):
    if entry["state"] == "committed":
        print(entry["type"], entry["iteration"], flush=True)

writer = CheckpointWriter(run_dir, run_dir.parent, policy, record)
for iteration in range(first, first + 1000):
    types = {"periodic", "best"} | ({"milestone"} if iteration % 4 == 0 else set())
    state = {"w": np.full(5000, iteration, np.float32), "it": np.int32(iteration)}
    score = float(iteration * 7 % 11)
    writer.save(state, iteration=iteration, types=frozenset(types), metadata={}, score=score)
"""


def test_killed_at_every_step_on_the_disk(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.checkpoints.crashing", str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) > 100


def test_killed_at_random_moments(run: Run) -> None:
    moments = random.Random(0)
    newest = 0
    for _ in range(2):
        command = [sys.executable, "-c", SAVING, str(run.run_dir), str(newest + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            time.sleep(moments.uniform(0, 0.3))
            process.kill()
            lines += process.stdout.readlines()
        found, skipped = newest_whole(run.run_dir)
        assert found is not None
        assert skipped == []
        assert found.iteration >= max(int(line.split()[1]) for line in lines)
        run.writer(best=Best(metric="win", keep=2), keep_last=2).close()
        for info in list_checkpoints(run.run_dir):
            assert verify(info.path).iteration == info.iteration
        best = [i.iteration for i in list_checkpoints(run.run_dir) if i.place == "best"]
        assert sorted(read_manifest(run.base / "best")[1]) == best
        assert not list(run.base.rglob(".*"))
        newest = found.iteration
