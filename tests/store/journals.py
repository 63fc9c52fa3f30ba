"""Synthetic journals: runs that look like training wrote them, in milliseconds."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KEYS = ("iter", "total_loss", "iteration/sps", "eval_vs_random/win_rate")
SPEC = {
    "name": "ttt",
    "seed": 42,
    "iterations": 20,
    "env": {"kind": "pgx", "id": "tic_tac_toe"},
    "model": {"kind": "mlp", "hidden_dims": [64, 64]},
    "optimizer": {"kind": "adamw", "learning_rate": 1e-3},
    "expect": [{"metric": "total_loss", "at": "last", "max": 1.0}],
}
START = 1_795_000_000.0


class Writer:
    """Writes a journal's records as the loop does, with its own clock."""

    def __init__(
        self, runs_dir: Path, uid: str, *, name: str = "ttt", start: float = START
    ) -> None:
        self.uid = uid
        self.name = name
        self.folder = runs_dir / uid
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / "journal.jsonl"
        self.clock = start
        self.attempt = 0
        self.random = random.Random(uid)

    def raw(self, data: bytes) -> None:
        """Append bytes as they are."""
        with self.path.open("ab") as file:
            file.write(data)

    def record(self, kind: str, **fields: Any) -> None:
        """Append one record; the clock moves on by a second."""
        self.clock += 1.0
        record = {"kind": kind, "time": self.clock, **fields}
        self.raw(json.dumps(record, separators=(",", ":")).encode() + b"\n")

    def header(self, **changes: Any) -> None:
        """Append the header and the keys."""
        fields: dict[str, Any] = {
            "journal_version": 1,
            "uid": self.uid,
            "name": self.name,
            "spec": SPEC,
            "spec_toml": 'name = "ttt"\n',
            "spec_digest": "5d" * 32,
            "training_digest": "7d" * 32,
            "spec_version": 1,
            "seed": 42,
            "iterations": 20,
            "tags": ["quickstart"],
            "contract": "v1",
            "parent": None,
        }
        self.record("header", **{**fields, **changes})

    def start(self, start_iter: int = 0, **changes: Any) -> None:
        """Append the next attempt and the declaration of its keys."""
        self.attempt += 1
        fields: dict[str, Any] = {
            "attempt": self.attempt,
            "start_iter": start_iter,
            "iterations": 20,
            "pid": 4242,
            "host": "box",
            "git_commit": "c0ffee",
            "git_dirty": False,
            "versions": {"jax": "0.10.2"},
            "platform": "cpu",
            "device_kind": "cpu",
            "device_count": 1,
            "isa": "AVX2",
            "nproc": 2,
            "xla_flags": "",
            "argv": ["jaxpot", "run", "ttt.toml"],
        }
        self.record("attempt", **{**fields, **changes})
        self.record(
            "keys",
            keys=[
                {
                    "name": name,
                    "dtype": "int" if name == "iter" else "float",
                    "unit": "1",
                    "doc": f"what {name} is",
                    "phase": "log",
                    "wall_clock": name == "iteration/sps",
                }
                for name in KEYS
            ],
        )

    def payload(self, iteration: int, values: Mapping[str, Any] | None = None) -> None:
        """Append one iteration's payload; random but for `values`."""
        drawn = {"iter": iteration, **{key: self.random.random() for key in KEYS[1:]}}
        self.record(
            "payload",
            attempt=self.attempt,
            iter=iteration,
            values={**drawn, **(values or {})},
            digest=f"{self.random.getrandbits(64):016x}",
        )

    def payloads(self, iterations: Sequence[int]) -> None:
        """Append payloads of iterations."""
        for iteration in iterations:
            self.payload(iteration)

    def checkpoint(self, iteration: int, state: str, **changes: Any) -> None:
        """Append a stage of a periodic checkpoint."""
        fields: dict[str, Any] = {
            "attempt": self.attempt,
            "iteration": iteration,
            "type": "periodic",
            "state": state,
            "path": f"{self.uid}/checkpoints/{iteration:06d}",
            **dict.fromkeys(("bytes", "sha256", "score", "seconds", "blocking_seconds", "error")),
        }
        self.record("checkpoint", **{**fields, **changes})

    def event(self, name: str, payload: Mapping[str, Any], iteration: int | None = None) -> None:
        """Append an event."""
        self.record("event", attempt=self.attempt, iter=iteration, name=name, payload=payload)

    def end(self, status: str = "completed", **changes: Any) -> None:
        """Append the attempt's end."""
        fields = {"attempt": self.attempt, "status": status, "exit_reason": "done"}
        fields.update(iterations=20, digest="ab" * 8)
        self.record("end", **{**fields, **changes})


def standing(name: str, place: str, *, active: bool = True) -> dict[str, Any]:
    """Give an entry of the league as a standings record has it."""
    return {"name": name, "place": place, "score": 0.5, "rollouts": 7, "active": active}


def league_events(run: Writer) -> None:
    """Append the events of a league of one entry and its archive, all at one moment."""
    now = run.clock
    for iteration, kind, born, score in (
        *((2, "add", 3, -0.05), (5, "add", 6, -0.05), (5, "archive", 3, 0.75)),
        *((8, "add", 9, -0.05), (8, "archive", 6, 0.25)),
        *((10, "add", 11, -0.05), (10, "archive", 9, 0.5)),
        *((14, "recall", 6, 0.001), (17, "release", 6, 0.25), (18, "recall", 6, 0.002)),
        (19, "drop", 3, 0.75),
    ):
        rollouts = 10 * (iteration + 1 - born)
        payload = {
            "name": f"iter_{born:06d}",
            "score": score,
            "rollouts": rollouts,
            "digest": f"{born:016x}",
        }
        run.event(f"league_{kind}", payload, iteration)
        run.clock = now


def complete_run(runs_dir: Path, uid: str, *, name: str = "ttt", start: float = START) -> Writer:
    """Write a run of 20 iterations with one of everything."""
    run = Writer(runs_dir, uid, name=name, start=start)
    run.header()
    run.start()
    run.event("compile", {"program": "iteration", "seconds": 1.5})
    run.payloads(range(10))
    run.checkpoint(10, "begun")
    run.checkpoint(10, "committed", bytes=1000, sha256="e" * 64, seconds=0.2, blocking_seconds=0.01)
    league_events(run)
    run.payloads(range(10, 20))
    run.record(
        "digests",
        attempt=1,
        iter=19,
        scope="leaf",
        values={"params/w": "0123456789abcdef"},
    )
    run.record(
        "histogram",
        attempt=1,
        iter=19,
        name="eval_vs_random/actions",
        counts=[3, 0, 5],
    )
    run.record(
        "standings",
        attempt=1,
        iter=19,
        standings=[
            {**standing("iter_000011", "league"), "score": -0.05, "rollouts": 30},
            {**standing("iter_000006", "archive"), "score": 0.002, "rollouts": 70},
            standing("iter_000009", "archive", active=False),
        ],
    )
    run.event(
        "expect",
        {**SPEC["expect"][0], "min": None, "value": 0.5, "judged": True, "passed": True},  # pyright: ignore
    )
    run.event("time", {"compile": 1.5, "collect": 2.0, "update": 3.0, "wait": 0.5})
    run.record("tag", tag="kept")
    run.record("note", text="a good one")
    run.end()
    return run
