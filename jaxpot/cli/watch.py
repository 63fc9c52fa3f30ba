"""`jaxpot watch`: the live display of a run that another process trains."""

from __future__ import annotations

import click

from jaxpot.cli.completing import RUN
from jaxpot.cli.options import runs_dir_option
from jaxpot.cli.output import emit, json_text, note
from jaxpot.cli.session import display_options, result_record, runs_dir_words, terminal
from jaxpot.cli.store import current_store

_HINT = "Ctrl-C leaves the run alone"


@click.command("watch")
@click.argument("run", type=RUN, default="latest")
@click.option("--wait", is_flag=True, help="Go on when the run stops before its end: to a resume.")
@click.option("--exit-code", is_flag=True, help="Exit with the run's own status.")
@display_options
@runs_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    run: str,
    wait: bool,
    exit_code: bool,
    as_json: bool,
    plain: bool,
    quiet: bool,
) -> None:
    """Watch RUN, `latest` without one, as `jaxpot run` shows it, until it ends.

    RUN is a run's id or the start of one, a name, a tag, or `latest`. It is read from its journal:
    watching neither slows it nor touches it, and Ctrl-C ends the watching only. A run that has
    ended is shown once.

    \b
    Examples:
      jaxpot watch
      jaxpot watch ttt --plain
      jaxpot watch latest --quiet --exit-code && echo trained
      jaxpot watch latest --wait --json | jq .status

    Exit status: 0 whatever the run came to, with --exit-code the run's: 1 it failed or missed a
    gate, 130 it was interrupted. 1 too where its journal is removed meanwhile.
    """
    from jaxpot.views.replay import JournalClock
    from jaxpot.views.watching import watch

    ref = current_store().find(run)
    clock = JournalClock()
    try:
        if plain or quiet or not terminal():
            from jaxpot.views.plain import Plain

            shown = Plain(clock=clock, only_warnings=quiet)
            result = watch(ref.path, shown, clock, wait=wait, tell=note)
        else:
            from jaxpot.views.dashboard import Dashboard

            with Dashboard(clock=clock, hint=_HINT) as dashboard:
                result = watch(ref.path, dashboard, clock, wait=wait, tell=note)
    except KeyboardInterrupt:
        note(f"run {ref.uid} goes on by itself")
        raise
    if as_json:
        emit(json_text(result_record(result)))
    else:
        from jaxpot.cli.result import report

        emit(report(result, runs_dir_words(ctx)))
    ctx.exit(result.exit_code if exit_code else 0)
