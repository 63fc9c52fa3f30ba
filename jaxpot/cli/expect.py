"""`jaxpot expect`: the learning gates of a recorded run, judged again."""

from __future__ import annotations

from pathlib import Path

import click

from jaxpot.cli.completing import RUN
from jaxpot.cli.options import UserPath, json_option, runs_dir_option
from jaxpot.cli.output import emit, json_text
from jaxpot.cli.result import gates_table
from jaxpot.cli.store import current_store
from jaxpot.errors import UserError

EXIT_MISSED = 1


@click.command("expect")
@click.argument("run", type=RUN)
@click.option(
    "--spec",
    type=UserPath(),
    metavar="SPEC",
    help="Judge by the gates of this spec instead of those that the run recorded.",
)
@json_option("One object: the run, whether all gates passed, and each gate's verdict.")
@runs_dir_option
@click.pass_context
def command(ctx: click.Context, run: str, spec: Path | None, as_json: bool) -> None:
    """Judge the `[[expect]]` gates of RUN from what it recorded, without training.

    RUN is a run's id or the start of one, a name, a tag, or `latest`. Nothing is written.

    \b
    Examples:
      jaxpot expect latest
      jaxpot expect ttt --json | jq .expect
      jaxpot expect ttt --spec specs/ttt.toml

    A gate with `seeds` is judged over RUN and the newest complete run of each other seed that has
    the same training digest; after `jaxpot run --seeds`, of those seeds. One that failed counts as
    missing its value.

    Exit status: 0 every gate passed, 1 one was missed or could not be judged, 2 there is no such
    run or it has no gates.
    """
    gates = None
    if spec is not None:
        from jaxpot.spec import load

        gates = load(spec).experiment.expect
    from jaxpot.store.gates import judge_recorded

    store = current_store()
    found = store.find(run)
    with store.reading() as connection:
        expect = judge_recorded(connection, found.uid, gates)
    if not expect:
        where = f"run {found.uid}" if spec is None else str(spec)
        raise UserError(f"{where} has no gates: there is no [[expect]] in its spec")
    passed = all(gate["passed"] is True for gate in expect)
    if as_json:
        report = {"run": found.uid, "name": found.name, "passed": passed, "expect": expect}
        emit(json_text(report, indent=2))
    else:
        emit(gates_table(expect))
    ctx.exit(0 if passed else EXIT_MISSED)
