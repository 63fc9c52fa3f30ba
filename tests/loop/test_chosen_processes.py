"""`resume --from` and `run --init-from` as real processes, killed at any moment."""

import random
import shutil
import signal
import time

import pytest

from jaxpot.checkpoints import list_checkpoints
from jaxpot.spec import load
from jaxpot.store import Store
from tests.journal.reading import records
from tests.loop.running import train
from tests.loop.test_processes import (
    ITERATIONS,
    SPEC,
    answer,
    journal_of,
    start,
    wait_for_rows,
    written,
)

pytestmark = [pytest.mark.optimised, pytest.mark.slow]

LOSSES = "select iter, key, value from metric where uid = '{}' and key like '%loss' order by all"


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("chosen") / "killed.toml"
    path.write_text(SPEC.replace("keep_last = 2", "keep_last = 2, milestone_every = 100"))
    return path


@pytest.fixture(scope="module")
def unstopped(spec):
    return train(load(spec).experiment, spec.parent / "unstopped")


def kill(process, *, after):
    """Kills a process some time `after` it has begun to do something, unless it has ended."""
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def attempts(runs_dir):
    return list(records(journal_of(runs_dir), kinds=("attempt",)))


def wait_for_attempt(process, runs_dir, number):
    while process.poll() is None and len(attempts(runs_dir)) < number:
        time.sleep(0.001)


def test_a_choice_killed_again_and_again_ends_at_the_same_bits(unstopped, tmp_path):
    rng = random.Random(2027)
    shutil.copytree(unstopped.run_dir, tmp_path / unstopped.uid)
    held = [(i.place, i.iteration) for i in list_checkpoints(journal_of(tmp_path).parent)]

    # The first kill falls around the deletion of what is superseded.
    process = start(tmp_path, "resume", "latest", "--from", "milestone:200")
    wait_for_attempt(process, tmp_path, 2)
    kill(process, after=rng.random() * 0.01)
    assert attempts(tmp_path)[1]["start_iter"] == 200
    process = start(tmp_path, "resume", "latest")
    wait_for_rows(process, tmp_path, written(tmp_path) + rng.randint(1, 60))
    kill(process, after=rng.random() * 0.1)
    code, result, _ = answer(start(tmp_path, "resume", "latest"))

    assert (code, result["status"], result["iterations"]) == (0, "completed", ITERATIONS)
    assert result["digest"] == unstopped.digest
    assert all(attempt["start_iter"] >= 200 for attempt in attempts(tmp_path)[1:])
    assert [(i.place, i.iteration) for i in list_checkpoints(tmp_path / result["run"])] == held
    there = Store(unstopped.run_dir.parent).sql(LOSSES.format(unstopped.uid))
    assert Store(tmp_path).sql(LOSSES.format(result["run"])) == there
    _, ((stages,),) = Store(tmp_path).sql(
        "select count(*) from events where kind = 'checkpoint_deleted' "
        "and payload ->> 'error' like 'superseded%'"
    )
    assert stages >= 1


def test_a_child_killed_before_it_has_saved_starts_from_its_parent_again(spec, unstopped, tmp_path):
    runs_dir = tmp_path / "runs"
    parent = str(unstopped.run_dir / "checkpoints" / "milestones" / "000300")
    never = ("-s", "checkpoint.every=1000", "-s", "checkpoint.milestone_every=1000")
    arguments = ("run", str(spec), "--init-from", parent, "--seed", "11", *never)
    same = load(spec, overrides=[*never[1::2], "seed=11"]).experiment
    whole = train(same, tmp_path / "whole", init_from=parent)
    process = start(runs_dir, *arguments)
    wait_for_rows(process, runs_dir, 3)
    kill(process, after=0)
    code, result, _ = answer(start(runs_dir, "resume", "latest"))
    assert (code, result["digest"], result["attempt"]) == (0, whole.digest, 2)
    assert [attempt["start_iter"] for attempt in attempts(runs_dir)] == [0, 0]
    assert whole.digest != unstopped.digest
