"""`jaxpot run`: train what a spec says."""

from __future__ import annotations

from pathlib import Path

import click

from jaxpot.cli.options import (
    iterations_option,
    load_prepared,
    runs_dir_option,
    seed_option,
    set_option,
    spec_argument,
    writable_runs_dir,
)
from jaxpot.cli.session import conclude, conclude_seeds, display, display_options, watching
from jaxpot.spec.configs.expect import MAX_SEEDS


@click.command("run")
@spec_argument
@iterations_option("Stop after N iterations in all; the spec stays as it is.")
@seed_option
@click.option(
    "--seeds",
    type=click.IntRange(1, MAX_SEEDS),
    metavar="N",
    help="Run N seeds, the spec's own and those that follow it, and judge them together.",
)
@click.option("--name", help="Override the spec's name.")
@click.option(
    "--init-from",
    metavar="PARENT",
    help="Start with the network of another run's checkpoint: RUN (its newest), RUN:best, "
    "RUN:milestone:N, RUN:N, or a checkpoint's path.",
)
@set_option
@display_options
@runs_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    spec: Path,
    iterations: int | None,
    seed: int | None,
    seeds: int | None,
    name: str | None,
    init_from: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    plain: bool,
    quiet: bool,
) -> None:
    """Train what SPEC says, and record it.

    \b
    Examples:
      jaxpot run specs/ttt.toml
      jaxpot run specs/ttt.toml --seed 7 -s optimizer.learning_rate=3e-4
      jaxpot run specs/ttt.toml --iterations 20 --json | tail -n 1
      jaxpot run specs/ttt.toml --init-from ttt:best
      jaxpot run specs/ttt.toml --seeds 5

    On a terminal a live display shows the training; elsewhere plain lines do, on stderr. Ctrl-C
    saves a checkpoint and stops, as do SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGXCPU; `jaxpot
    resume` goes on from there, to the same bits.

    With --seeds each seed is a run of its own, one after another. The end shows each metric's mean
    and standard error, and judges the gates that have `seeds`. Ctrl-C stops them all.

    Exit status: 0 done, 1 failed or a gate missed, 2 the input is wrong, 130, 143 or
    another 128 + n interrupted by signal n.
    """
    loaded = load_prepared(spec, overrides=overrides, seed=seed, name=name)
    runs_dir = writable_runs_dir(ctx.obj["runs_dir"])
    if seeds is not None:
        from jaxpot.loop.seeds import run_seeds

        together = run_seeds(
            loaded,
            seeds=seeds,
            runs_dir=runs_dir,
            iterations=iterations,
            init_from=init_from,
            watch=watching(loaded.experiment.seed, seeds, plain=plain, quiet=quiet),
        )
        conclude_seeds(ctx, together, as_json=as_json)
        return
    from jaxpot.loop import run as runner

    with display(plain=plain, quiet=quiet) as observers:
        result = runner.run(
            loaded,
            runs_dir=runs_dir,
            iterations=iterations,
            init_from=init_from,
            observer=observers,
        )
    conclude(ctx, result, as_json=as_json)
