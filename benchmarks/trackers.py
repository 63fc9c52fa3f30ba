"""What recording and reading cost beside other trackers, on the same numbers and in one run.

    pip install mlflow trackio tensorboardX tensorboard       # beside jaxpot
    python benchmarks/trackers.py [NAME ...] [--turns 5] [--iterations 200] [--runs 1000]

Each tracker is a separate process, and they take turns: a turn records 60 keys for some
iterations. The cost is CPU time of the process and of what it starts, the last flush included,
because a writer on another thread still takes a core from training. Then one series is read,
and the runs of a folder are listed with the last value of one key, each as that tracker's users do
it. One that is not installed is left out, and said.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import random
import resource
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from interleave import Worker, interleave, machine, print_table

KEYS = tuple(f"group_{number % 7}/key_{number}" for number in range(60))
SERIES = KEYS[3]
READS = 5

Values = Mapping[str, float]


class Tracker(Protocol):
    """What each tracker is asked for, as its own users would."""

    def begin(self, name: str) -> None:
        """Starts a run."""

    def record(self, iteration: int, values: Values) -> None:
        """Records an iteration."""

    def end(self) -> None:
        """Ends the run; everything is written."""

    def series(self, name: str) -> list[float]:
        """Reads one key of a run."""

    def runs(self) -> int:
        """Lists the runs with the last value of one key; returns how many there are."""


class Jaxpot:
    """The journal, and the child that ingests it, as every run has them."""

    def __init__(self, folder: Path) -> None:
        from jaxpot.store import Store

        self.runs_dir = folder / "runs"
        self.store = Store(self.runs_dir)
        self.uids: dict[str, str] = {}

    def begin(self, name: str) -> None:
        from contextlib import ExitStack

        from jaxpot.store import JOURNAL_VERSION, Journal, create_run
        from jaxpot.trackers.process import SideProcess

        self.stack = ExitStack()
        header = {"journal_version": JOURNAL_VERSION, "name": name, "spec": {"name": name}}
        uid, folder = self.stack.enter_context(create_run(self.runs_dir, header))
        self.uids[name] = uid
        self.journal = self.stack.enter_context(Journal(folder / "journal.jsonl"))
        self.process = SideProcess(folder) if name == "long" else None
        self.journal.append({"kind": "attempt", "attempt": 1, "start_iter": 0})

    def record(self, iteration: int, values: Values) -> None:
        record = {"kind": "payload", "attempt": 1, "iter": iteration, "values": values}
        self.journal.append(record)

    def end(self) -> None:
        self.journal.append({"kind": "end", "attempt": 1, "status": "completed"})
        self.journal.sync()
        self.stack.close()
        if self.process is not None:
            self.process.stop()

    def series(self, name: str) -> list[float]:
        query = "SELECT value FROM metric WHERE uid = ? AND key = ? ORDER BY iter"
        with self.store.reading() as connection:
            rows = connection.execute(query, [self.uids[name], SERIES]).fetchall()
        return [value for (value,) in rows]

    def runs(self) -> int:
        query = f"SELECT uid, value FROM latest WHERE key = '{SERIES}'"  # noqa: S608
        with self.store.reading() as connection:
            return len(connection.execute(query).fetchall())


class TensorboardX:
    """A SummaryWriter; read by TensorBoard's own accumulator."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "logs"

    def begin(self, name: str) -> None:
        from tensorboardX import SummaryWriter

        self.writer = SummaryWriter(str(self.folder / name))

    def record(self, iteration: int, values: Values) -> None:
        for key, value in values.items():
            self.writer.add_scalar(key, value, iteration)

    def end(self) -> None:
        self.writer.close()

    def series(self, name: str) -> list[float]:
        return [event.value for event in self._loaded(name).Scalars(SERIES)]

    def runs(self) -> int:
        last = [self._loaded(path.name).Scalars(SERIES)[-1].value for path in self.folder.iterdir()]
        return len(last)

    def _loaded(self, name: str):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        return EventAccumulator(str(self.folder / name), size_guidance={"scalars": 0}).Reload()


class Sqlite:
    """The tables and indices in which MLflow keeps metrics, written with nothing in between."""

    SCHEMA = """
    CREATE TABLE runs (run_uuid VARCHAR(32) NOT NULL PRIMARY KEY, name VARCHAR(250));
    CREATE TABLE metrics (
        key VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
        run_uuid VARCHAR(32) NOT NULL REFERENCES runs, step BIGINT NOT NULL DEFAULT 0,
        is_nan BOOLEAN NOT NULL DEFAULT 0,
        PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan)
    );
    CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
    CREATE TABLE latest_metrics (
        key VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT,
        step BIGINT NOT NULL, is_nan BOOLEAN NOT NULL, run_uuid VARCHAR(32) NOT NULL,
        PRIMARY KEY (key, run_uuid)
    );
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.connection = sqlite3.connect(folder / "mlflow.db")
        self.connection.executescript(self.SCHEMA)

    def begin(self, name: str) -> None:
        self.name = name
        with self.connection:
            self.connection.execute("INSERT INTO runs VALUES (?, ?)", (name, name))

    def record(self, iteration: int, values: Values) -> None:
        now = int(time.time() * 1000)
        rows = [(key, value, now, self.name, iteration, 0) for key, value in values.items()]
        with self.connection:
            self.connection.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
            self.connection.executemany(
                "INSERT OR REPLACE INTO latest_metrics "
                "(key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )

    def end(self) -> None:
        self.connection.commit()

    def series(self, name: str) -> list[float]:
        query = "SELECT value FROM metrics WHERE run_uuid = ? AND key = ? ORDER BY step"
        return [value for (value,) in self.connection.execute(query, (name, SERIES))]

    def runs(self) -> int:
        query = "SELECT name, value FROM runs JOIN latest_metrics USING (run_uuid) WHERE key = ?"
        return len(self.connection.execute(query, (SERIES,)).fetchall())


class Mlflow:
    """MLflow's client on its SQLite store, an iteration in one batch: its cheapest way."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        from mlflow.tracking import MlflowClient

        self.client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
        self.experiment = self.client.create_experiment("bench", f"file://{folder}")
        self.ids: dict[str, str] = {}

    def begin(self, name: str) -> None:
        self.run = self.client.create_run(self.experiment, run_name=name).info.run_id
        self.ids[name] = self.run

    def record(self, iteration: int, values: Values) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(key, value, now, iteration) for key, value in values.items()]
        self.client.log_batch(self.run, metrics=metrics)

    def end(self) -> None:
        self.client.set_terminated(self.run)

    def series(self, name: str) -> list[float]:
        history = self.client.get_metric_history(self.ids[name], SERIES)
        return [metric.value for metric in sorted(history, key=lambda metric: metric.step)]

    def runs(self) -> int:
        found = self.client.search_runs([self.experiment], max_results=50_000)
        return len([run.data.metrics[SERIES] for run in found])


class Trackio:
    """Trackio as its users call it, with its local store."""

    def __init__(self, folder: Path) -> None:
        os.environ["TRACKIO_DIR"] = str(folder.parent)  # read once, when it is imported
        import trackio

        self.trackio = trackio
        self.project = folder.name

    def begin(self, name: str) -> None:
        with contextlib.redirect_stdout(sys.stderr):
            self.trackio.init(project=self.project, name=name)

    def record(self, iteration: int, values: Values) -> None:
        self.trackio.log(dict(values), step=iteration)

    def end(self) -> None:
        with contextlib.redirect_stdout(sys.stderr):
            self.trackio.finish()

    def series(self, name: str) -> list[float]:
        from trackio.sqlite_storage import SQLiteStorage

        rows = SQLiteStorage.get_logs(self.project, name)
        return [row[SERIES] for row in rows if SERIES in row]

    def runs(self) -> int:
        from trackio.sqlite_storage import SQLiteStorage

        names = SQLiteStorage.get_runs(self.project)
        return len([SQLiteStorage.get_logs(self.project, name)[-1][SERIES] for name in names])


TRACKERS: dict[str, tuple[Callable[[Path], Tracker], str]] = {
    "jaxpot": (Jaxpot, "jaxpot"),
    "tensorboardX": (TensorboardX, "tensorboardX"),
    "sqlite3, MLflow's schema": (Sqlite, "sqlite3"),
    "MLflow": (Mlflow, "mlflow"),
    "Trackio": (Trackio, "trackio"),
}
"""How each is made, and the package that it needs."""


def cpu() -> float:
    """Returns the CPU seconds of this process, and of the children that it waited for."""
    each = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in each)


def drawn(draw: random.Random) -> dict[str, float]:
    return {key: draw.gauss(0.0, 1.0) for key in KEYS}


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def timed(work: Callable[[], object]) -> float:
    """Returns the median milliseconds of some work, once it is warm."""
    work()
    took = []
    for _ in range(READS):
        began = time.perf_counter()
        work()
        took.append(1e3 * (time.perf_counter() - began))
    return statistics.median(took)


def serve(name: str, folder: Path, iterations: int, runs: int) -> None:
    """Takes turns for `interleave.Worker`, then reports what reading costs."""
    tracker = TRACKERS[name][0](folder / "long")
    draw = random.Random(0)
    tracker.begin("long")
    done = 0
    print("ready", flush=True)
    for _ in sys.stdin:
        began, before = time.perf_counter(), cpu()
        for _ in range(iterations):
            tracker.record(done, drawn(draw))
            done += 1
        print(time.perf_counter() - began, cpu() - before, flush=True)
    before = cpu()
    tracker.end()
    ended = cpu() - before
    assert len(tracker.series("long")) == done
    report = {
        "end": ended,
        "bytes": size(folder) / (done * len(KEYS)),
        "series": timed(lambda: tracker.series("long")),
    }
    many = TRACKERS[name][0](folder / "many") if runs else None
    if many is not None:
        for number in range(runs):
            many.begin(f"run_{number}")
            many.record(0, drawn(draw))
            many.end()
        assert many.runs() == runs
        report["runs"] = timed(many.runs)
    print(json.dumps(report))


def drawing(iterations: int) -> float:
    """Returns the CPU seconds that drawing the numbers of a turn takes, which is no tracker's."""
    draw, before = random.Random(0), cpu()
    for _ in range(iterations):
        drawn(draw)
    return cpu() - before


def compare(names: list[str], *, turns: int, iterations: int, runs: int) -> None:
    """Has the trackers take turns and prints the table."""
    folder = Path(tempfile.mkdtemp(prefix="jaxpot-trackers-"))
    try:
        options = ["--iterations", str(iterations), "--runs", str(runs)]
        script = Path(__file__)
        workers = {
            name: Worker(script, "--serve", name, "--folder", str(folder / str(place)), *options)
            for place, name in enumerate(names)
        }
        interleave({name: worker.turn for name, worker in workers.items()}, repeats=turns)
        baseline, rows = drawing(iterations), []
        costs = {}
        for name, worker in workers.items():
            report = json.loads(worker.close())
            total = sum(worker.cpu) - turns * baseline + report["end"]
            costs[name] = (1e6 * total / (turns * iterations), report)
        base = next(iter(costs.values()))[0]
        for name, (micros, report) in costs.items():
            rows.append(
                (
                    name,
                    f"{micros:.0f} us",
                    f"{micros / base:.1f}",
                    f"{report['bytes']:.1f}",
                    f"{report['series']:.1f} ms",
                    f"{report['runs']:.1f} ms" if runs else "-",
                )
            )
        header = ("tracker", "CPU an iteration", "ratio", "bytes a point", "one series")
        title = f"60 keys, {turns} turns of {iterations} iterations, {machine()}"
        print_table(title, (*header, f"list {runs:,} runs"), rows)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Reads the command line and compares what is installed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TRACKERS))
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        options.folder.mkdir(parents=True)
        serve(options.serve, options.folder, options.iterations, options.runs)
        return
    if unknown := sorted(set(options.names) - set(TRACKERS)):
        parser.error(f"no tracker here is called {', '.join(unknown)}")
    wanted = options.names or list(TRACKERS)
    there = [name for name in wanted if importlib.util.find_spec(TRACKERS[name][1]) is not None]
    for name in sorted(set(wanted) - set(there)):
        print(f"left out: {name}, which is not installed")
    compare(there, turns=options.turns, iterations=options.iterations, runs=options.runs)


if __name__ == "__main__":
    main()
