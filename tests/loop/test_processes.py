"""Runs as real processes: killed, interrupted, held to their thread count, asked while they run."""

import json
import os
import pty
import random
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from jaxpot.loop.run import resume
from jaxpot.spec import load
from jaxpot.store import Store
from tests.journal.reading import records
from tests.loop.running import train

pytestmark = [pytest.mark.optimised, pytest.mark.slow]

ITERATIONS = 600
SPEC = f"""
name = "killed"
seed = 7
iterations = {ITERATIONS}
env = {{ kind = "pgx", id = "tic_tac_toe" }}
model = {{ kind = "mlp", hidden_dims = [8] }}
algorithm = {{ kind = "ppo", num_epochs = 2, batch_size = 64, shuffle = "epoch" }}
optimizer = {{ kind = "adamw", learning_rate = 1e-3, accumulate_steps = 3 }}
collect = {{ num_steps = 9, selfplay = {{ num_envs = 32 }} }}
checkpoint = {{ every = 50, keep_last = 2 }}
runtime = {{ profile_every = 0 }}
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("killed") / "killed.toml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def unstopped(spec):
    return train(load(spec).experiment, spec.parent / "unstopped")


def start(runs_dir, *arguments, **environment):
    command = [sys.executable, "-m", "jaxpot.cli.main", "--runs-dir", str(runs_dir), *arguments]
    return subprocess.Popen(
        [*command, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def answer(process):
    out, err = process.communicate(timeout=300)
    assert "Traceback" not in err, err
    return process.returncode, json.loads(out.splitlines()[-1]) if out else None, err


def journal_of(runs_dir):
    found = list(runs_dir.glob("2*/journal.jsonl"))
    return found[0] if found else None


def written(runs_dir):
    """Counts the rows in the journal, superseded ones included."""
    path = journal_of(runs_dir)
    return 0 if path is None else sum(1 for _ in records(path, kinds=("payload",)))


def wait_for_rows(process, runs_dir, count):
    """Waits until the journal has `count` rows, or the process ends."""
    while process.poll() is None and written(runs_dir) < count:
        time.sleep(0.01)


def test_a_run_killed_again_and_again_ends_at_the_same_bits(spec, unstopped, tmp_path):
    rng = random.Random(2026)
    process = start(tmp_path, "run", str(spec))
    # The first kill falls before anything is saved, while it compiles.
    while journal_of(tmp_path) is None and process.poll() is None:
        time.sleep(0.005)
    for kill in range(4):
        if kill > 0:
            wait_for_rows(process, tmp_path, written(tmp_path) + rng.randint(1, 60))
            time.sleep(rng.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        _, err = process.communicate()
        assert process.returncode == -signal.SIGKILL, err
        process = start(tmp_path, "resume", "latest")
    code, result, _ = answer(process)

    assert (code, result["status"], result["iterations"]) == (0, "completed", ITERATIONS)
    assert result["digest"] == unstopped.digest
    # The first process may have been killed before its attempt was written down.
    assert result["attempt"] in (4, 5)
    store = Store(tmp_path)
    _, rows = store.sql(
        "select iter, count(*) from metric where key = 'iter' group by 1 order by 1"
    )
    assert [tuple(row) for row in rows] == [(t, 1) for t in range(ITERATIONS)]
    store = Store(unstopped.run_dir.parent)
    query = "select iter, key, value from metric where key like '%loss' order by all"
    assert Store(tmp_path).sql(query) == Store(unstopped.run_dir.parent).sql(query)


@pytest.mark.usefixtures("shared_programs")
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGUSR1, 138)],
)
def test_an_interrupted_run_saves_and_says_so(spec, unstopped, tmp_path, number, code):
    process = start(tmp_path, "run", str(spec))
    wait_for_rows(process, tmp_path, 3)
    process.send_signal(number)
    exit_code, result, _ = answer(process)
    assert (exit_code, result["status"]) == (code, "interrupted")
    assert result["checkpoint"].endswith(f"{result['iterations']:06d}")
    assert [g["judged"] for g in result["expect"]] == []
    resumed = resume(tmp_path, result["run"], ingest=False)
    assert (resumed.status, resumed.digest) == ("completed", unstopped.digest)


def test_a_terminal_that_dies_stops_a_run_with_a_checkpoint(spec, tmp_path):
    terminal, inside = pty.openpty()
    command = [sys.executable, "-m", "jaxpot.cli.main", "--runs-dir", str(tmp_path)]
    command += ["run", str(spec), "-s", "iterations=100000"]
    # The first terminal that the leader of a session opens becomes its own.
    shell = ["sh", "-c", f'exec "$@" <>{os.ttyname(inside)} >&0 2>&0', "sh", *command]
    process = subprocess.Popen(shell, start_new_session=True)
    os.close(inside)
    threading.Thread(target=drain, args=(terminal,), daemon=True).start()
    wait_for_rows(process, tmp_path, 3)
    os.close(terminal)
    assert process.wait(timeout=60) == 128 + signal.SIGHUP
    (row,) = Store(tmp_path).runs()
    assert row.status == "interrupted"
    *_, saved = records(journal_of(tmp_path), kinds=("checkpoint",))
    *_, end = records(journal_of(tmp_path), kinds=("end",))
    assert (saved["state"], saved["iteration"]) == ("committed", end["iterations"])


def drain(terminal):
    with suppress(OSError):
        while select.select([terminal], [], [], 0.1) and os.read(terminal, 4096):
            pass


def test_under_nohup_a_run_hears_no_hangup(spec, tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start(tmp_path, "run", str(spec), "--iterations", "100")
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_for_rows(process, tmp_path, 3)
    process.send_signal(signal.SIGHUP)
    code, result, _ = answer(process)
    assert (code, result["iterations"]) == (0, 100)


def test_a_job_whose_every_process_is_signalled_loses_no_row(spec, tmp_path):
    process = start(tmp_path, "run", str(spec), "-s", "iterations=100000")
    wait_for_rows(process, tmp_path, 3)
    beside = children_of(process.pid)
    assert len(beside) == 1
    for each in (*beside, process.pid):
        os.kill(each, signal.SIGUSR1)
    code, result, err = answer(process)
    assert (code, "lags behind" in err) == (138, False)
    with duckdb.connect(str(tmp_path / "jaxpot.duckdb"), read_only=True) as connection:
        (found,) = connection.execute("select max(iter) from metrics").fetchone()
    assert found == result["iterations"] - 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_verification_that_a_signal_ends_leaves_no_process_and_no_folder(spec, tmp_path, number):
    process = start(tmp_path, "verify", str(spec), TMPDIR=str(tmp_path))
    while not list(tmp_path.glob("jaxpot-verify-*/**/journal.jsonl")) and process.poll() is None:
        time.sleep(0.05)
    (child,) = children_of(process.pid)
    process.send_signal(number)
    assert answer(process)[0] == 128 + number
    assert not Path(f"/proc/{child}").exists()
    assert list(tmp_path.glob("jaxpot-verify-*")) == []


def children_of(pid):
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_running_run_is_asked_by_sql(spec, tmp_path):
    process = start(tmp_path, "run", str(spec), "-s", "iterations=100000")
    wait_for_rows(process, tmp_path, 20)
    store = Store(tmp_path)
    _, ((status,),) = store.sql("select status from runs")
    _, ((newest,),) = store.sql("select max(iter) from metric")
    process.send_signal(signal.SIGINT)
    exit_code, _, _ = answer(process)
    assert (status, exit_code) == ("running", 130)
    assert newest >= 20
    (row,) = store.runs()
    assert row.status == "interrupted"


def test_the_thread_count_is_recorded_and_pinned_on_resume(spec, tmp_path):
    _, first, _ = answer(
        start(tmp_path, "run", str(spec), "-s", "runtime.nproc=1", "--iterations", "2", NPROC="2")
    )
    answer(start(tmp_path, "resume", first["run"], "--iterations", "3", NPROC="2"))
    attempts = records(journal_of(tmp_path), kinds=("attempt",))
    assert [attempt["nproc"] for attempt in attempts] == [1, 1]


@pytest.mark.usefixtures("shared_programs")
def test_a_run_recorded_under_one_thread_count_resumes_under_it(spec, tmp_path, monkeypatch):
    monkeypatch.setenv("NPROC", "1")
    first = train(load(spec).experiment, tmp_path, iterations=2)
    _, _, err = answer(start(tmp_path, "resume", first.uid, "--iterations", "3", NPROC="2"))
    attempts = records(journal_of(tmp_path), kinds=("attempt",))
    assert [attempt["nproc"] for attempt in attempts] == [1, 1]
    assert "nproc was" not in err


def test_two_devices_run_on_one_or_are_refused(spec, tmp_path):
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    code, result, _ = answer(start(tmp_path, "run", str(spec), "--iterations", "2", **flags))
    assert (code, result["iterations"]) == (0, 2)
    process = start(tmp_path, "run", str(spec), "-s", "runtime.devices=2", **flags)
    code, result, err = answer(process)
    assert (code, result) == (2, None)
    assert "runtime.devices" in err
    assert "several-devices" in err
