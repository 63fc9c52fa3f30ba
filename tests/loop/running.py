"""What the loop's tests share: runs in this process, and what they left over."""

from pathlib import Path
from typing import Any

from jaxpot.journal import payloads
from jaxpot.loop import run as runner
from jaxpot.loop.graph import PhaseGraph
from jaxpot.loop.observer import RunResult
from jaxpot.spec import Experiment
from tests.journal.reading import live_payloads, records


def train(experiment: Experiment, runs_dir: Path, **options: Any) -> RunResult:
    """Runs without a database."""
    return runner.run(experiment, runs_dir=runs_dir, ingest=False, **options)


def train_graph(experiment: Experiment, graph: PhaseGraph, runs_dir: Path) -> RunResult:
    """Runs a graph of one's own."""
    return runner.run(experiment, runs_dir=runs_dir, graph=graph, ingest=False)


def journal(result: RunResult) -> Path:
    """Returns the path of a run's journal."""
    return result.run_dir / "journal.jsonl"


def rows(result: RunResult) -> list[dict[str, Any]]:
    """Returns every live payload."""
    return list(payloads(journal(result)))


def events(result: RunResult, name: str) -> list[dict[str, Any]]:
    """Returns the payloads of a run's events called `name`."""
    found = records(journal(result), kinds=("event",))
    return [record["payload"] for record in found if record["name"] == name]


def trace(result: RunResult) -> list[tuple[int, str, dict[str, Any]]]:
    """Returns what determinism promises: each iteration's digest and all but its times."""
    wall_clock = {
        key["name"]
        for record in records(journal(result), kinds=("keys",))
        for key in record["keys"]
        if key["wall_clock"]
    }
    return [
        (
            row["iter"],
            row["digest"],
            {key: value for key, value in row["values"].items() if key not in wall_clock},
        )
        for row in live_payloads(journal(result))
    ]
