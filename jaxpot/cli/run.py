"""`jaxpot run`, `jaxpot resume` and `jaxpot watch`: train, with a display of the progress."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jaxpot.cli import options
from jaxpot.cli.completion import RUN
from jaxpot.cli.output import emit, json_text, note
from jaxpot.cli.result import conclude, conclude_seeds, report, result_record
from jaxpot.spec.configs.experiment import MAX_SEEDS

if TYPE_CHECKING:
    from jaxpot.loop.observer import Observers
    from jaxpot.views.dashboard import Dashboard
    from jaxpot.views.plain import Plain

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def display_options(command: Decorated) -> Decorated:
    """Add `--json`, `--plain` and `--quiet`."""
    quiet = click.option("--quiet", is_flag=True, help="Only warnings and the result.")
    plain = click.option("--plain", is_flag=True, help="Plain lines, also on a terminal.")
    return options.json_option("End with one JSON object as the last line of stdout.")(
        plain(quiet(command))
    )


@click.command("run")
@options.spec_argument
@options.iterations_option("Stop after N iterations in all; the spec does not change.")
@options.seed_option
@click.option(
    "--seeds",
    type=click.IntRange(1, MAX_SEEDS),
    metavar="N",
    help="Run N seeds, counting up from the spec's seed, and judge them together.",
)
@click.option("--name", help="Override the spec's name.")
@click.option(
    "--init-from",
    metavar="PARENT",
    help="Start with the network of another run's checkpoint: RUN (its newest), RUN:best, "
    "RUN:milestone:N, RUN:N, or a checkpoint's path.",
)
@options.set_option
@display_options
@options.runs_dir_option
def run_command(
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
    """Train the experiment of SPEC, and record it.

    \b
    Examples:
      jaxpot run specs/ttt.toml
      jaxpot run specs/ttt.toml --seed 7 -s optimizer.learning_rate=3e-4
      jaxpot run specs/ttt.toml --iterations 20 --json | tail -n 1
      jaxpot run specs/ttt.toml --init-from ttt:best
      jaxpot run specs/ttt.toml --seeds 5

    A terminal shows a live display; anything else gets plain lines on stderr. Ctrl-C saves a
    checkpoint and stops; so do SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGXCPU. `jaxpot resume`
    continues from there and reaches the same bits.

    With --seeds, each seed is a separate run, one after another. At the end you see the mean and
    standard error of each metric, and the verdicts of the gates that have `seeds`. Ctrl-C stops
    all of them.

    Exit status: 0 done, 1 the run failed or missed a gate, 2 the input is wrong, 128 + n
    interrupted by signal n (130 by Ctrl-C).
    """
    loaded = options.load_prepared(spec, overrides=overrides, seed=seed, name=name)
    runs_dir = options.writable_runs_dir()
    if seeds is None:
        from jaxpot.loop import run as runner

        with display(plain=plain, quiet=quiet) as observers:
            result = runner.run(
                loaded,
                runs_dir=runs_dir,
                iterations=iterations,
                init_from=init_from,
                observer=observers,
            )
        conclude(result, as_json=as_json)
        return
    from jaxpot.loop.seeds import run_seeds

    first = loaded.experiment.seed

    def watch(seed: int) -> AbstractContextManager[Observers]:
        if not quiet:
            note(f"seed {seed}: run {seed - first + 1} of {seeds}")
        return display(plain=plain, quiet=quiet)

    together = run_seeds(
        loaded,
        seeds=seeds,
        runs_dir=runs_dir,
        iterations=iterations,
        init_from=init_from,
        watch=watch,
    )
    conclude_seeds(together, as_json=as_json)


@click.command("resume")
@click.argument("run", type=RUN)
@options.iterations_option("Stop after N iterations in all; N may exceed the spec's number.")
@click.option(
    "--from",
    "checkpoint",
    metavar="CHECKPOINT",
    help="The checkpoint to start from: latest, best, milestone:N, a number of iterations, or a "
    "path.",
)
@display_options
@options.runs_dir_option
def resume_command(
    run: str,
    iterations: int | None,
    checkpoint: str | None,
    as_json: bool,
    plain: bool,
    quiet: bool,
) -> None:
    """Continue RUN as a new attempt, from its newest complete checkpoint.

    RUN is a run's uid or the start of one, a name or tag (its newest run), or `latest`.

    \b
    Examples:
      jaxpot resume latest
      jaxpot resume ttt --iterations 1000
      jaxpot resume ttt --from milestone:5000

    The result equals that of a run that was never stopped, bit for bit. Iterations recorded after
    the checkpoint are recorded again and replace the old ones. With --from, the checkpoints after
    the chosen one are deleted and made again.
    """
    from jaxpot.loop import run as runner

    with display(plain=plain, quiet=quiet) as observers:
        result = runner.resume(
            options.current_runs_dir(),
            run,
            iterations=iterations,
            checkpoint=checkpoint,
            observer=observers,
        )
    conclude(result, as_json=as_json)


@click.command("watch")
@click.argument("run", type=RUN, default="latest")
@click.option("--wait", is_flag=True, help="If the run stops early, wait until it is resumed.")
@click.option("--exit-code", is_flag=True, help="Exit with the status of the run.")
@display_options
@options.runs_dir_option
@click.pass_context
def watch_command(
    ctx: click.Context,
    run: str,
    wait: bool,
    exit_code: bool,
    as_json: bool,
    plain: bool,
    quiet: bool,
) -> None:
    """Watch RUN (default: `latest`) until it ends, with the display of `jaxpot run`.

    RUN is a run's uid or the start of one, a name, a tag, or `latest`. Watching only reads the
    run's journal, so it does not slow the run, and Ctrl-C ends only the watching. A run that has
    ended is shown once.

    \b
    Examples:
      jaxpot watch
      jaxpot watch ttt --plain
      jaxpot watch latest --quiet --exit-code && echo trained
      jaxpot watch latest --wait --json | jq .status

    Exit status: 0 however the run ended. With --exit-code, the status of the run: 1 it failed or
    missed a gate, 130 it was interrupted. Also 1 if the journal is removed while it is watched.
    """
    from jaxpot.views.replay import JournalClock
    from jaxpot.views.watching import watch

    ref = options.current_store().find(run)
    clock = JournalClock()
    hint = "Ctrl-C leaves the run alone"
    try:
        with _screen(plain=plain, quiet=quiet, clock=clock, hint=hint) as screen:
            result = watch(ref.path, screen, clock, wait=wait, tell=note)
    except KeyboardInterrupt:
        note(f"run {ref.uid} goes on by itself")
        raise
    emit(json_text(result_record(result)) if as_json else report(result))
    ctx.exit(result.exit_code if exit_code else 0)


@contextmanager
def display(*, plain: bool, quiet: bool) -> Iterator[Observers]:
    """Open a display and yield its observers; warn at the end if it failed."""
    from jaxpot.loop.observer import Observers

    with _screen(plain=plain, quiet=quiet) as screen:
        observers = Observers(screen)
        yield observers
    for observer, error in observers.failures:
        note(f"warning: the display ({type(observer).__name__}) failed on the way: {error!r}")


@contextmanager
def _screen(
    *,
    plain: bool,
    quiet: bool,
    clock: Callable[[], float] = time.monotonic,
    hint: str | None = None,
) -> Iterator[Plain | Dashboard]:
    """Open the display that suits stderr; restore the terminal when it closes."""
    can_redraw = sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", None)
    if plain or quiet or not can_redraw:
        from jaxpot.views.plain import Plain

        yield Plain(clock=clock, only_warnings=quiet)
        return
    from jaxpot.views.dashboard import Dashboard

    with Dashboard(clock=clock, hint=hint) if hint else Dashboard(clock=clock) as dashboard:
        yield dashboard
