"""Options and arguments that several commands share, and how commands use them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jaxpot.cli.completion import RUN
from jaxpot.cli.output import note
from jaxpot.errors import UserError
from jaxpot.paths import expanded

if TYPE_CHECKING:
    from jaxpot.spec import Loaded
    from jaxpot.store.reader import Store

MAX_SEED = 2**32 - 1
MAX_ITERATIONS = 1_000_000_000


class UserPath(click.Path):
    """A path as a `Path`. A leading `~` means the home directory even if the shell kept it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Expand the path before it is checked."""
        return super().convert(expanded(value), param, ctx)


PATH = UserPath()
FILE = UserPath(dir_okay=False)


def _keep_runs_dir(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.ensure_object(dict)["runs_dir"] = value


# Accepts `--runs-dir` after the command's name too; commands read it with `current_runs_dir`.
runs_dir_option = click.option(
    "--runs-dir",
    type=UserPath(file_okay=False),
    expose_value=False,
    callback=_keep_runs_dir,
    help="Directory of the runs and their database  [env var: JAXPOT_RUNS_DIR; default: runs]",
)
spec_argument = click.argument("spec", type=PATH)
runs_argument = click.argument("runs", nargs=-1, required=True, type=RUN, metavar="RUN...")
optional_runs_argument = click.argument("runs", nargs=-1, type=RUN, metavar="[RUN]...")
set_option = click.option(
    "-s",
    "--set",
    "overrides",
    multiple=True,
    metavar="PATH=VALUE",
    help='Override one value of the spec, written as in TOML; repeatable. "none" removes a '
    "table: -s 'eval.vs_random=\"none\"'.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(0, MAX_SEED), help="Override the spec's seed."
)
every_option = click.option(
    "--every", is_flag=True, help="Take every run with the name or tag, not only the newest."
)
separate_option = click.option(
    "--separate", is_flag=True, help="Show each run by itself instead of grouping seeds."
)
x_axis_option = click.option(
    "-x",
    "x_axis",
    type=click.Choice(["iteration", "samples", "time"]),
    default="iteration",
    show_default=True,
    help="The horizontal axis; time leaves out pauses between attempts.",
)


def json_option(help_text: str) -> Callable[[Any], Any]:
    """Add `--json` as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help=help_text)


def keys_option(help_text: str, *, required: bool = False) -> Callable[[Any], Any]:
    """Add `-k KEY`, repeatable, as the argument `keys`."""
    return click.option(
        "-k",
        "--keys",
        multiple=True,
        required=required,
        metavar="GLOB",
        help=f"A key or a glob; repeatable. {help_text}",
    )


def iterations_option(help_text: str, *, default: int | None = None) -> Callable[[Any], Any]:
    """Add `--iterations` as the argument `iterations`."""
    return click.option(
        "--iterations",
        type=click.IntRange(1, MAX_ITERATIONS),
        default=default,
        show_default=default is not None,
        metavar="N",
        help=help_text,
    )


def exclude(given: Mapping[str, object]) -> str | None:
    """Refuse more than one of these options; return the one that is given.

    Args:
        given: Values by option, such as `{"--json": as_json}`; false values count as not given.

    Raises:
        UsageError: Two options are given.
    """
    names = [name for name, value in given.items() if value]
    if len(names) > 1:
        raise click.UsageError(f"{names[0]} and {names[1]} exclude each other")
    return names[0] if names else None


def current_runs_dir() -> Path:
    """Return the runs directory that the command line names."""
    return click.get_current_context().find_root().obj["runs_dir"]


def current_store() -> Store:
    """Return the store of that directory; it prints its notices to stderr."""
    from jaxpot.store.reader import Store

    return Store(current_runs_dir(), notify=lambda line: note(f"note: {line}"))


def all_uids(store: Store, words: tuple[str, ...]) -> list[str]:
    """Return the uids of every run that the words name; a name or tag may name several.

    Raises:
        UserError: A word names no run, or is the start of several uids.
    """
    from jaxpot.store.runs import find_all

    return [ref.uid for ref in find_all(store.runs_dir, words, every=True)]


def load_prepared(
    path: Path, *, overrides: tuple[str, ...] = (), seed: int | None = None, name: str | None = None
) -> Loaded:
    """Load a spec for a command that will use jax, and set up jax's environment.

    The first load does not import the user's own classes: they may import jax, which reads the
    environment that the spec's `runtime` table decides.

    Raises:
        SpecError: The spec or an override is wrong; it lists every fault.
    """
    from jaxpot.spec import load

    extra = [] if seed is None else [f"seed={seed}"]
    if name is not None:
        # Without ASCII escapes, a JSON string is a TOML basic string.
        extra.append(f"name={json.dumps(name, ensure_ascii=False)}")
    every = (*overrides, *extra)
    loaded = load(path, overrides=every)
    from jaxpot.loop.environment import prepare

    prepare(loaded.experiment.runtime)
    return load(path, overrides=every, import_user_code=True) if loaded.import_paths else loaded


def writable_runs_dir() -> Path:
    """Create the runs directory if needed, and return it.

    Raises:
        UserError: It cannot be created or written to.
    """
    from jaxpot.store.database import check_place

    runs_dir = current_runs_dir()
    check_place(runs_dir)
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--runs-dir {runs_dir}: cannot be created: {error.strerror}") from error
    if not os.access(runs_dir, os.W_OK | os.X_OK):
        raise UserError(f"--runs-dir {runs_dir}: no permission to write to it")
    return runs_dir
