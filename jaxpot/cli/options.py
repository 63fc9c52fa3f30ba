"""Options and arguments that several commands share, so that each is spelled and helped once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jaxpot.errors import UserError
from jaxpot.paths import expanded

if TYPE_CHECKING:
    from jaxpot.spec import Loaded

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Decorator = Callable[[Decorated], Decorated]

MAX_SEED = 2**32 - 1
MAX_ITERATIONS = 1_000_000_000


class UserPath(click.Path):
    """A path as a `Path`; a leading `~` is the home directory wherever a shell left it as it is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Expands the path before it is checked."""
        return super().convert(expanded(value), param, ctx)


def _keep_runs_dir(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.ensure_object(dict)["runs_dir"] = value


def runs_dir_option(command: Decorated) -> Decorated:
    """Lets `--runs-dir` stand after a subcommand too; it lands in `ctx.obj["runs_dir"]`."""
    return click.option(
        "--runs-dir",
        type=UserPath(file_okay=False),
        expose_value=False,
        callback=_keep_runs_dir,
        help="Where runs and their database live  [env var: JAXPOT_RUNS_DIR; default: runs]",
    )(command)


def json_option(help_text: str) -> Decorator[Any]:
    """Adds `--json` as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help=help_text)


def spec_argument(command: Decorated) -> Decorated:
    """Adds the argument SPEC, a path that is left to the loader to judge."""
    return click.argument("spec", type=UserPath())(command)


def set_option(command: Decorated) -> Decorated:
    """Adds `-s path=value`, any number of times, as the argument `overrides`."""
    return click.option(
        "-s",
        "--set",
        "overrides",
        multiple=True,
        metavar="PATH=VALUE",
        help='Override one value of the spec, written as in TOML; may be repeated. "none" removes '
        "a table: -s 'eval.vs_random=\"none\"'.",
    )(command)


def seed_option(command: Decorated) -> Decorated:
    """Adds `--seed` as the argument `seed`."""
    return click.option(
        "--seed",
        type=click.IntRange(0, MAX_SEED),
        help="Override the spec's seed.",
    )(command)


def iterations_option(help_text: str, *, default: int | None = None) -> Decorator[Any]:
    """Adds `--iterations` as the argument `iterations`."""
    return click.option(
        "--iterations",
        type=click.IntRange(1, MAX_ITERATIONS),
        default=default,
        show_default=default is not None,
        metavar="N",
        help=help_text,
    )


def load_prepared(
    path: Path,
    *,
    overrides: tuple[str, ...] = (),
    seed: int | None = None,
    name: str | None = None,
) -> Loaded:
    """Loads a spec for a command that will use jax, and prepares the environment for jax.

    The spec is first loaded without its own imports: these may import jax, which reads the
    environment that `runtime` decides on.

    Raises:
        SpecError: with every fault, where the spec or an override is wrong.
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


def writable_runs_dir(runs_dir: Path) -> Path:
    """Makes sure that runs can be written to a directory, and returns it.

    Raises:
        UserError: where it cannot be made or written to.
    """
    import os

    from jaxpot.store.database import check_place

    check_place(runs_dir)
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--runs-dir {runs_dir}: cannot be made: {error.strerror}") from error
    if not os.access(runs_dir, os.W_OK | os.X_OK):
        raise UserError(f"--runs-dir {runs_dir}: no permission to write to it")
    return runs_dir
