"""Runs of a few seeds and settings for comparisons and pictures, from synthetic journals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.store.journals import SPEC, START, Writer

SLOW, FAST = "aa" * 32, "bb" * 32


def uid(letter: str, seed: int) -> str:
    """The uid of a made-up run."""
    return f"2026112{seed}-101530-{letter * 6}"


def write_run(
    runs_dir: Path,
    letter: str,
    seed: int,
    rows: Sequence[Mapping[str, Any]],
    *,
    digest: str = SLOW,
    rate: float = 1e-3,
    end: bool = True,
    **header: Any,
) -> Writer:
    """Write a run whose iteration `i` has exactly the values `rows[i]`."""
    run = Writer(runs_dir, uid(letter, seed), start=START + 1000 * seed)
    spec = {**SPEC, "seed": seed, "optimizer": {"kind": "adamw", "learning_rate": rate}}
    fields = {"seed": seed, "training_digest": digest, "spec": spec, "iterations": len(rows)}
    run.header(**{**fields, **header})
    run.start(iterations=len(rows))
    write_rows(run, range(len(rows)), rows.__getitem__)
    if end:
        run.end(iterations=len(rows))
    return run


def write_rows(
    run: Writer, iterations: Sequence[int], row: Callable[[int], Mapping[str, Any]]
) -> None:
    """Append payloads with exactly the values of `row`."""
    for iteration in iterations:
        values = {"iter": iteration, **row(iteration)}
        run.record("payload", attempt=run.attempt, iter=iteration, values=values, digest="0" * 16)
