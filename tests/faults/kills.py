"""SIGKILL at random moments of every phase; each run is resumed and held to an unstopped one."""

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from jaxpot.store import Store
from jaxpot.store.runs import journals
from tests.faults.outcomes import Outcome, outcome_of
from tests.faults.processes import ROOT, children, count, end, finished, start, wait_until
from tests.faults.specs import LEAGUE_ITERATIONS, PLAIN_ITERATIONS, write_specs
from tests.faults.tally import Tally

# How long a step takes, about; the kill falls somewhere in it, or just after it.
SPANS = {
    "copy": 0.002,
    "arrays": 0.06,
    "hashes": 0.002,
    "metadata": 0.001,
    "sync": 0.01,
    "check": 0.002,
    "publish": 0.002,
    "link": 0.005,
    "record": 0.001,
    "best": 0.004,
    "prune": 0.003,
    "delete": 0.003,
}
SAVE = tuple(f"save: {step}" for step in SPANS)
PHASES = (
    *("start", "compile", "loop", "loop", "journal", "journal"),
    *SAVE,
    *("save: disk", "save: disk"),
    *("ingest of a killed run", "ingest beside a run", "ingest by a reader"),
    *("resume", "resume: journal", "resume: settle", "resume: supersede", "resume: save"),
)
SPECS = ("plain", "league", "plain")
_ROWS = {"plain": PLAIN_ITERATIONS, "league": LEAGUE_ITERATIONS}
_SAVES = {"plain": 6, "league": 5}

Phase = Callable[[Path, Path, str, random.Random], str]


def trials(number: int, seed: int, folder: Path, *, jobs: int = 1, first: int = 0) -> Tally:
    """Kills `number` runs, over the phases in turn, and counts those that came out whole."""
    tally = Tally()
    specs = write_specs(folder / "specs")
    whole: dict[str, Outcome] = {}
    chosen = [
        (index, PHASES[index % len(PHASES)], SPECS[(index + index // len(PHASES)) % len(SPECS)])
        for index in range(first, first + number)
    ]
    for name in sorted({name for _, _, name in chosen}):
        finished(folder / name, "run", str(specs[name]))
        whole[name] = outcome_of(folder / name)

    def attempt(index: int, phase: str, name: str) -> None:
        runs_dir = folder / f"{index:03d}"
        reported = f"(trial {index}, seed {seed}, {name})"
        with tally.case(f"{phase}, {name}", reported):
            trial(phase, specs[name], runs_dir, name, whole[name], random.Random(f"{seed} {index}"))
            shutil.rmtree(runs_dir)

    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(attempt, *each) for each in chosen]:
            done.result()
    return tally


def trial(
    phase: str, spec: Path, runs_dir: Path, name: str, whole: Outcome, rng: random.Random
) -> None:
    """Kills one run in one phase, resumes it to its end and holds it to the unstopped run.

    Raises:
        AssertionError: Something was lost, doubled or is another.
    """
    kind, _, step = phase.partition(": ")
    if kind == "resume":
        killed_run(
            runs_dir, spec, name, rng, {"step": "arrays", "at": rng.randint(2, _SAVES[name])}
        )
        killed_resume(runs_dir, name, rng, step)
    elif phase.startswith("ingest"):
        killed_ingest(runs_dir, spec, name, rng, phase)
    elif phase in ("start", "compile", "loop"):
        killed_from_outside(runs_dir, spec, name, rng, phase)
    else:
        killed_run(runs_dir, spec, name, rng, plan(step or phase, name, rng))
    if any(True for _ in journals(runs_dir)):
        Store(runs_dir).runs()
        result = finished(runs_dir, "resume", "latest")
    else:
        result = finished(runs_dir, "run", str(spec))
    found = outcome_of(runs_dir)
    assert not (wrong := found.differences(whole)), f"differs in {wrong} from the unstopped run"
    assert result["digest"] == whole.digest


def plan(step: str, name: str, rng: random.Random) -> dict[str, Any]:
    """Draws the moment of a step."""
    if step == "disk":
        return {"step": step, "at": rng.randint(1, 30 * _SAVES[name])}
    if step == "journal":
        return {"step": step, "at": rng.randint(1, _ROWS[name]), "part": rng.random()}
    saves = _SAVES[name] * (3 if step == "record" else 1)
    at = rng.randint(1, max(1, saves // 3 if step in ("best", "delete", "link") else saves))
    delay = rng.choice([0.0, rng.uniform(0, SPANS[step]), rng.uniform(0, 3 * SPANS[step])])
    return {"step": step, "at": at, "delay": delay}


def killed_run(
    runs_dir: Path, spec: Path, name: str, rng: random.Random, fault: dict[str, Any]
) -> None:
    """Starts a run that kills itself."""
    if fault["step"] == "arrays":
        fault.setdefault("delay", rng.uniform(0, SPANS["arrays"]))
    process = start(runs_dir, "run", str(spec), fault=fault)
    was_killed(process, fault)


def was_killed(process: subprocess.Popen[str], reported: object) -> None:
    """Waits for a process that is to be killed."""
    err = process.communicate(timeout=300)[1]
    assert process.returncode == -signal.SIGKILL, f"{reported}: was not killed, but ended: {err}"


def killed_from_outside(
    runs_dir: Path, spec: Path, name: str, rng: random.Random, phase: str
) -> None:
    """Kills a run by what its journal shows."""
    process = start(runs_dir, "run", str(spec))
    if phase == "start":
        time.sleep(rng.uniform(0.05, 4.0))
    elif phase == "compile":
        wait_until(process, lambda: count(runs_dir, "attempt") > 0)
        time.sleep(rng.uniform(0, 2.5))
    else:
        rows = rng.randint(1, _ROWS[name] - 2)
        wait_until(process, lambda: count(runs_dir, "payload") >= rows)
        time.sleep(rng.uniform(0, 0.02))
    end(process)


def killed_ingest(runs_dir: Path, spec: Path, name: str, rng: random.Random, phase: str) -> None:
    """Kills the process that ingests: of a run that was killed, that goes on, or of a reader."""
    process = start(runs_dir, "run", str(spec))
    wait_until(process, lambda: count(runs_dir, "payload") >= rng.randint(3, _ROWS[name] // 2))
    beside = children(process.pid)
    if phase != "ingest beside a run":
        end(process)
    time.sleep(rng.uniform(0, 0.6))
    for pid in beside:
        try:
            subprocess.run(["kill", "-9", str(pid)], check=False, stderr=subprocess.DEVNULL)
        except ProcessLookupError:
            continue
    if phase == "ingest beside a run":
        err = process.communicate(timeout=300)[1]
        assert process.returncode == 0, f"the run failed with its ingest: {err}"
        assert "Traceback" not in err, err
    elif phase == "ingest by a reader":
        command = [sys.executable, "-m", "jaxpot.cli.main", "--runs-dir", str(runs_dir), "ls"]
        reader = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        time.sleep(rng.uniform(0.1, 0.7))
        end(reader)


def killed_resume(runs_dir: Path, name: str, rng: random.Random, step: str) -> None:
    """Kills a resume: at any moment, or in one of its steps."""
    if step:
        fault = {
            "journal": {"step": "journal", "at": rng.randint(1, 20), "part": rng.random()},
            "settle": {"step": "settle", "at": 1, "delay": rng.choice([0.0, 0.0005, 0.002])},
            "supersede": {"step": "supersede", "at": 1, "delay": rng.choice([0.0, 0.0005, 0.002])},
            "save": {"step": "disk", "at": rng.randint(1, 60)},
        }[step]
        was_killed(start(runs_dir, "resume", "latest", fault=fault), fault)
        return
    process = start(runs_dir, "resume", "latest")
    time.sleep(rng.uniform(0.5, 6.0))
    end(process)
