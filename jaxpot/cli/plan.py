"""`jaxpot plan`: what a spec compiles to."""

from __future__ import annotations

from pathlib import Path

import click

from jaxpot.cli.options import (
    json_option,
    load_prepared,
    runs_dir_option,
    set_option,
    spec_argument,
)
from jaxpot.cli.output import emit, json_text


@click.command("plan")
@spec_argument
@set_option
@json_option("The plan as JSON.")
@click.option("--mermaid", is_flag=True, help="The phase graph as a Mermaid flowchart.")
@runs_dir_option
@click.pass_context
def command(
    ctx: click.Context, spec: Path, overrides: tuple[str, ...], as_json: bool, mermaid: bool
) -> None:
    """Show what SPEC compiles to: phases in order, programs, shapes, memory.

    \b
    Examples:
      jaxpot plan specs/ttt.toml
      jaxpot plan specs/ttt.toml -s collect.selfplay.num_envs=4096
      jaxpot plan specs/ttt.toml --mermaid

    For each phase: when it runs, the state it reads and writes, its random stream, its timer and
    the payload keys that it emits. Shapes are traced; nothing is compiled or run. Evaluators that
    play a checkpoint find its run in --runs-dir.
    """
    if as_json and mermaid:
        raise click.UsageError("--json and --mermaid exclude each other")
    loaded = load_prepared(spec, overrides=overrides)
    from jaxpot.loop import plan
    from jaxpot.loop.phases import compile_graph
    from jaxpot.loop.shapes import plan_details

    graph = compile_graph(loaded.experiment)
    with loaded.placing():
        details = plan_details(loaded.experiment, graph, ctx.obj["runs_dir"])
    if as_json:
        emit(json_text(plan.render_json(graph, details), indent=2))
    elif mermaid:
        emit(plan.render_mermaid(graph, details))
    else:
        emit(plan.render_text(graph, details))
