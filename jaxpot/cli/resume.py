"""`jaxpot resume`: continue a run from its newest checkpoint, or from one that is named."""

from __future__ import annotations

import click

from jaxpot.cli.completing import RUN
from jaxpot.cli.options import iterations_option, runs_dir_option
from jaxpot.cli.session import conclude, display, display_options


@click.command("resume")
@click.argument("run", type=RUN)
@iterations_option("Stop after N iterations in all; may be more than the spec says.")
@click.option(
    "--from",
    "checkpoint",
    metavar="CHECKPOINT",
    help="Start from that one: latest, best, milestone:N, a number of iterations, or a path.",
)
@display_options
@runs_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    run: str,
    iterations: int | None,
    checkpoint: str | None,
    as_json: bool,
    plain: bool,
    quiet: bool,
) -> None:
    """Continue RUN as a new attempt, from its newest whole checkpoint.

    RUN is a run's id or the start of one, a name or tag (its newest run), or `latest`.

    \b
    Examples:
      jaxpot resume latest
      jaxpot resume ttt --iterations 1000
      jaxpot resume ttt --from milestone:5000

    The result is the one that a run never stopped has, bit for bit. Iterations that were
    recorded after the checkpoint are recorded again and superseded, not doubled. With --from, the
    checkpoints beyond the chosen one are deleted, and made again.
    """
    from jaxpot.loop import run as runner

    with display(plain=plain, quiet=quiet) as observers:
        result = runner.resume(
            ctx.obj["runs_dir"],
            run,
            iterations=iterations,
            checkpoint=checkpoint,
            observer=observers,
        )
    conclude(ctx, result, as_json=as_json)
