"""`jaxpot expect`: judge the learning gates of a recorded run."""

from __future__ import annotations

from pathlib import Path

import click

from jaxpot.cli import options
from jaxpot.cli.completion import RUN
from jaxpot.cli.output import emit, emit_json
from jaxpot.cli.result import gates_table
from jaxpot.errors import UserError

EXIT_MISSED = 1


@click.command("expect")
@click.argument("run", type=RUN)
@click.option("--spec", type=options.PATH, metavar="SPEC", help="Use this spec's gates instead.")
@options.json_option("One object: the run, whether all gates passed, and the verdict of each gate.")
@options.runs_dir_option
@click.pass_context
def expect_command(ctx: click.Context, run: str, spec: Path | None, as_json: bool) -> None:
    """Judge the `[[expect]]` gates of RUN from its records, without training.

    RUN is a run's uid or the start of one, a name, a tag, or `latest`. Nothing is written.

    \b
    Examples:
      jaxpot expect latest
      jaxpot expect ttt --json | jq .expect
      jaxpot expect ttt --spec specs/ttt.toml

    A gate with `seeds` is judged over RUN and, for each other seed, the newest complete run with
    the same training digest. After `jaxpot run --seeds` it is judged over those seeds; a seed whose
    run failed counts as having no value.

    Exit status: 0 every gate passed, 1 a gate was missed or could not be judged, 2 the run does not
    exist or has no gates.
    """
    gates = None
    if spec is not None:
        from jaxpot.spec import load

        gates = load(spec).experiment.expect
    from jaxpot.store.gates import judge_recorded

    store = options.current_store()
    found = store.find(run)
    with store.reading() as connection:
        expect = judge_recorded(connection, found.uid, gates)
    if not expect:
        where = f"run {found.uid}" if spec is None else str(spec)
        raise UserError(f"{where} has no gates: there is no [[expect]] in its spec")
    passed = all(gate["passed"] is True for gate in expect)
    if as_json:
        emit_json({"run": found.uid, "name": found.name, "passed": passed, "expect": expect})
    else:
        emit(gates_table(expect))
    ctx.exit(0 if passed else EXIT_MISSED)
