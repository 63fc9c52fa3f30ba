"""Six runs of two specs and three seeds each, with values that can be computed by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.store.journals import SPEC, START, Writer

ITERATIONS = 10
SAMPLES = 100
RATES = (0.1, 0.01)
SEEDS = (1, 2, 3)
TIMES = ("timings/total", "timings/training", "timings/transfer_metrics")
KEYS = ("total_loss", "eval_vs_random/win_rate", "iteration/num_samples", *TIMES)


class Trained(NamedTuple):
    """A run that was written."""

    uid: str
    rate: float
    seed: int

    def loss(self, iteration: int) -> float:
        """Give the loss of an iteration; one is NaN."""
        if (self.rate, self.seed, iteration) == (0.01, 3, 4):
            return math.nan
        return 10 * self.rate + self.seed / (iteration + 1)

    def win_rate(self, iteration: int) -> float:
        """Give the win rate of an iteration, which rises."""
        return min(1.0, (iteration + 1) * (0.05 + self.rate) + self.seed / 100)


def lab(runs_dir: Path) -> list[Trained]:
    """Write the runs, oldest first; the newest one is a repetition of the one before it."""
    trained = [
        Trained(f"20261122-10{number:02d}00-{number:06x}", rate, seed)
        for number, (rate, seed) in enumerate(
            [*((rate, seed) for rate in RATES for seed in SEEDS), (RATES[-1], SEEDS[-1])]
        )
    ]
    for number, run in enumerate(trained):
        _write(runs_dir, run, START + 1000.0 * number)
    return trained


def samples_of(trained: list[Trained]) -> Iterator[Trained]:
    """Yield the newest run of each spec and seed."""
    newest = {(run.rate, run.seed): run for run in trained}
    yield from newest.values()


def _write(runs_dir: Path, run: Trained, start: float) -> None:
    writer = Writer(runs_dir, run.uid, name="sweep", start=start)
    spec: dict[str, Any] = {
        **SPEC,
        "name": "sweep",
        "seed": run.seed,
        "optimizer": {"kind": "adamw", "learning_rate": run.rate},
    }
    digest = f"{int(1000 * run.rate):02x}" * 32
    writer.header(spec=spec, seed=run.seed, training_digest=digest, tags=["sweep"])
    writer.start()
    writer.record("keys", keys=[{"name": key, "dtype": "float"} for key in KEYS])
    for iteration in range(ITERATIONS):
        loss = run.loss(iteration)
        values = {
            "iter": iteration,
            "total_loss": "NaN" if math.isnan(loss) else loss,
            "eval_vs_random/win_rate": run.win_rate(iteration),
            "iteration/num_samples": SAMPLES,
            "timings/total": 2.0,
            "timings/training": 1.5,
            "timings/transfer_metrics": 0.1,
        }
        writer.record(
            "payload", attempt=1, iter=iteration, values=values, digest=f"{iteration:016x}"
        )
    writer.event("time", {"compile": 3.0, "training": 15.0, "wait": 2.0})
    writer.end()
