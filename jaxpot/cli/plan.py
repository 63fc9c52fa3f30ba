"""`jaxpot plan` and `jaxpot keys`: the programs of a spec, and the random keys of its run."""

from __future__ import annotations

from pathlib import Path

import click

from jaxpot.cli import options
from jaxpot.cli.output import emit, emit_json, json_text, table


@click.command("plan")
@options.spec_argument
@options.set_option
@options.json_option("The plan as JSON.")
@click.option("--mermaid", is_flag=True, help="The phase graph as a Mermaid flowchart.")
@options.runs_dir_option
def plan_command(spec: Path, overrides: tuple[str, ...], as_json: bool, mermaid: bool) -> None:
    """Show what SPEC compiles to: its phases in order, programs, shapes and memory.

    \b
    Examples:
      jaxpot plan specs/ttt.toml
      jaxpot plan specs/ttt.toml -s collect.selfplay.num_envs=4096
      jaxpot plan specs/ttt.toml --mermaid

    For each phase it shows when the phase runs, the state it reads and writes, its random stream,
    its timer and the payload keys it emits. Shapes are traced; nothing is compiled or run.
    Evaluators that play against a checkpoint look for its run in --runs-dir.
    """
    options.exclude({"--json": as_json, "--mermaid": mermaid})
    loaded = options.load_prepared(spec, overrides=overrides)
    from jaxpot.loop import plan
    from jaxpot.loop.phases import compile_graph
    from jaxpot.loop.shapes import plan_details

    graph = compile_graph(loaded.experiment)
    with loaded.placing():
        details = plan_details(loaded.experiment, graph, options.current_runs_dir())
    if as_json:
        emit_json(plan.render_json(graph, details))
    else:
        emit((plan.render_mermaid if mermaid else plan.render_text)(graph, details))


@click.command("keys")
@options.spec_argument
@options.iterations_option("Show the first N iterations.", default=3)
@options.seed_option
@options.set_option
@options.json_option("The keys as JSON.")
def keys_command(
    spec: Path, iterations: int, seed: int | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Show the random keys that a run of SPEC will use, by iteration and stream.

    \b
    Examples:
      jaxpot keys specs/ttt.toml
      jaxpot keys specs/ttt.toml --seed 7 --iterations 100 --json

    Under the same contract version, equal keys draw equal numbers on every machine. `chain` is the
    key that the next iteration starts from.
    """
    experiment = options.load_prepared(spec, overrides=overrides, seed=seed).experiment
    from jaxpot.loop.phases import compile_graph
    from jaxpot.loop.streams import key_report

    found = key_report(compile_graph(experiment), experiment.seed, iterations)
    if as_json:
        emit(json_text(found))
        return
    rows: list[list[str]] = []
    for iteration in found["iterations"]:
        collectors = {k: v for k, v in iteration.items() if k not in ("iter", "streams")}
        for name, (high, low) in {**collectors, **iteration["streams"]}.items():
            rows.append([str(iteration["iter"]), name, f"{high:08x} {low:08x}"])
    emit(f"contract {found['contract']}, seed {found['seed']}")
    emit(table(["iter", "key", "data"], rows, right=(0,)))
