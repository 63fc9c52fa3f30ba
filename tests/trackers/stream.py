"""A made-up run for the displays: what the loop would tell them, with a clock that is set."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jaxpot.loop.observer import RunInfo, RunResult

UID = "20261122-101530-ab12cd"
TOTAL = 500
EVAL_EVERY = 50
PROFILE_EVERY = 100
WARMUP = 50

TRAINING = {
    "total_loss": "float",
    "value_loss": "float",
    "policy_loss": "float",
    "entropy_loss": "float",
    "grad_norm": "float",
}
RATES = ("win_rate", "draw_rate", "lose_rate", "avg_reward", "done_rate")
LEAVES = ("won", "drawn", "lost")
TIMINGS = ("collect_selfplay", "concatenate_batches", "training", "transfer_metrics")


class Clock:
    """Seconds that stand still until they are moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def key(name: str, **window: int | None) -> Any:
    """A payload key with the fields that displays read."""
    fields: dict[str, Any] = {"every": 1, "start": 0, "until": None, "when": None, **window}
    return SimpleNamespace(name=name, **fields)


def keys() -> tuple[Any, ...]:
    """The keys of the made-up run."""
    every_iteration = ("iter", "iteration/num_samples", "iteration/learning_rate", *TRAINING)
    return (
        *(key(name) for name in every_iteration),
        key("train_vs_random/reward", until=WARMUP),
        *(key(f"eval_vs_random/{name}", every=EVAL_EVERY) for name in RATES),
        *(key(f"eval_vs_random/p0/{name}", every=EVAL_EVERY) for name in RATES),
        *(key(f"eval_tree/{name}", every=2 * EVAL_EVERY) for name in LEAVES),
        key("timings/total"),
        *(key(f"timings/{name}", every=PROFILE_EVERY) for name in TIMINGS),
        key("timings/eval_vs_random", every=EVAL_EVERY),
    )


def info(**changes: Any) -> RunInfo:
    """The made-up run's facts."""
    gates = (
        SimpleNamespace(metric="eval_vs_random/lose_rate", at="last", min=None, max=0.005),
        SimpleNamespace(metric="eval_tree/lost", at="last", min=None, max=0.0),
    )
    facts: dict[str, Any] = {
        "uid": UID,
        "name": "ttt",
        "run_dir": Path("runs") / UID,
        "attempt": 1,
        "start_iter": 0,
        "target_iterations": TOTAL,
        "keys": keys(),
        "device": "cpu",
        "nproc": 2,
        "experiment": SimpleNamespace(expect=gates),
    }
    return RunInfo(**{**facts, **changes})


def payload(t: int) -> dict[str, float | int]:
    """The payload of iteration `t`."""
    decay = math.exp(-t / 100)
    wave = 0.02 * math.sin(t)
    values: dict[str, float | int] = {
        "iter": t,
        "iteration/num_samples": 18432,
        "iteration/learning_rate": 0.001,
        "total_loss": 0.5 * decay + wave + 0.1,
        "value_loss": 0.3 * decay + wave + 0.05,
        "policy_loss": -0.02 * decay + wave / 10,
        "entropy_loss": -0.01 - 0.005 * (1 - decay),
        "grad_norm": 1.5 * decay + abs(wave),
        "timings/total": 0.031,
    }
    if t < WARMUP:
        values["train_vs_random/reward"] = 0.9 - decay
    if (t + 1) % EVAL_EVERY == 0:
        lose = 0.2 * decay
        rates = (0.95 - lose, 0.05, lose, 0.95 - 2 * lose, 1.0)
        values |= {f"eval_vs_random/{name}": v for name, v in zip(RATES, rates, strict=True)}
        values |= {f"eval_vs_random/p0/{name}": v for name, v in zip(RATES, rates, strict=True)}
        values["timings/eval_vs_random"] = 0.012
    if (t + 1) % (2 * EVAL_EVERY) == 0:
        leaves = (1200 + t, 40, max(0, 90 - t // 2))
        values |= {f"eval_tree/{name}": v for name, v in zip(LEAVES, leaves, strict=True)}
    if (t + 1) % PROFILE_EVERY == 0:
        seconds = (0.0141, 0.0004, 0.0152, 0.0001)
        values |= {f"timings/{name}": v for name, v in zip(TIMINGS, seconds, strict=True)}
    return values


def payloads(start: int, stop: int) -> Iterator[dict[str, float | int]]:
    """The payloads of iterations `start` to `stop - 1`."""
    return (payload(t) for t in range(start, stop))


def result(**changes: Any) -> RunResult:
    """The made-up run's result."""
    facts: dict[str, Any] = {
        "uid": UID,
        "name": "ttt",
        "status": "completed",
        "iterations": TOTAL,
        "attempt": 1,
        "digest": "0123456789abcdef",
        "metrics": {"total_loss": 0.103, "value_loss": math.nan},
        "checkpoint": f"{UID}/checkpoints/000500",
        "expect": [
            {
                "metric": "eval_vs_random/lose_rate",
                "at": "last",
                "min": None,
                "max": 0.005,
                "value": 0.0012,
                "judged": True,
                "passed": True,
            },
            {
                "metric": "eval_tree/lost",
                "at": "last",
                "min": None,
                "max": 0.0,
                "value": 3,
                "judged": True,
                "passed": False,
            },
        ],
        "time": {
            "compile": 3.21,
            "collect": 7.05,
            "update": 7.6,
            "evaluate": 0.5,
            "record": 0.02,
            "save": 0.1,
            "wait": 0.4,
        },
        "exit_code": 0,
        "reason": "all iterations done",
        "run_dir": Path("runs") / UID,
    }
    return RunResult(**{**facts, **changes})


def checkpoint(iteration: int, state: str = "committed", **more: Any) -> dict[str, Any]:
    """A checkpoint record as the journal has it."""
    return {
        "kind": "checkpoint",
        "attempt": 1,
        "iteration": iteration,
        "type": "periodic",
        "state": state,
        "bytes": 123_456,
        "seconds": 0.034,
        **more,
    }


LEAGUE_SIZE = 4
ADD_EVERY = 25
RECALL_AT = 200


def standings(done: int) -> list[dict[str, Any]]:
    """What a made-up league holds after `done` iterations: the newest four, the others archived.

    The oldest is recalled in the end.
    """
    borns = range(ADD_EVERY, done + 1, ADD_EVERY)
    entries = [
        {
            "name": f"iter_{born:06d}",
            "place": "archive" if (archived := index >= LEAGUE_SIZE) else "league",
            "score": -0.05 + 0.03125 * index,
            "rollouts": 1_000 * (done - born),
            "active": not archived or (born == ADD_EVERY and done >= RECALL_AT),
        }
        for index, born in enumerate(reversed(borns))
    ]
    return sorted(entries, key=lambda entry: entry["score"])


def play(observer: Any, clock: Clock, *, until: int, league: bool = False) -> None:
    """Plays the made-up run to an observer, up to an iteration, in bursts of 25."""
    observer.started(info())
    observer.compiling("iteration/selfplay+random")
    clock.now += 2.1
    observer.compiled("iteration/selfplay+random", 2.1)
    for start in range(0, until, 25):
        for values in payloads(start, min(start + 25, until)):
            observer.payload(values)
        done = min(start + 25, until)
        if done % 100 == 0:
            observer.checkpoint(checkpoint(done))
        if league and done % ADD_EVERY == 0:
            observer.standings(done, standings(done))
        clock.now += 0.8
