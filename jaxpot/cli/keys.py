"""`jaxpot keys`: the random keys that a run will use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jaxpot.cli.options import (
    iterations_option,
    json_option,
    load_prepared,
    seed_option,
    set_option,
    spec_argument,
)
from jaxpot.cli.output import emit, json_text, table


@click.command("keys")
@spec_argument
@iterations_option("Show the first N iterations.", default=3)
@seed_option
@set_option
@json_option("The keys as JSON.")
def command(
    spec: Path,
    iterations: int,
    seed: int | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show the random keys that a run of SPEC will use, by iteration and stream.

    \b
    Examples:
      jaxpot keys specs/ttt.toml
      jaxpot keys specs/ttt.toml --seed 7 --iterations 100 --json

    Equal keys under an equal contract mean equal draws, whatever machine asks. `chain` is the
    key that the next iteration starts from.
    """
    experiment = load_prepared(spec, overrides=overrides, seed=seed).experiment
    from jaxpot.loop.phases import compile_graph
    from jaxpot.loop.streams import key_report

    found = key_report(compile_graph(experiment), experiment.seed, iterations)
    emit(json_text(found) if as_json else _text(found))


def _text(found: dict[str, Any]) -> str:
    rows: list[list[str]] = []
    for iteration in found["iterations"]:
        collectors = {k: v for k, v in iteration.items() if k not in ("iter", "streams")}
        for name, (high, low) in {**collectors, **iteration["streams"]}.items():
            rows.append([str(iteration["iter"]), name, f"{high:08x} {low:08x}"])
    title = f"contract {found['contract']}, seed {found['seed']}"
    return f"{title}\n{table(['iter', 'key', 'data'], rows, right=(0,))}"
