"""What commands share that take several runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jaxpot.cli.completing import RUN
from jaxpot.cli.output import note

if TYPE_CHECKING:
    from jaxpot.store.reader import Store

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def runs_argument(command: Decorated) -> Decorated:
    """Adds the argument RUN..., one or more words for runs, as `runs`."""
    return click.argument("runs", nargs=-1, required=True, type=RUN, metavar="RUN...")(command)


def separate_option(command: Decorated) -> Decorated:
    """Adds `--separate`."""
    return click.option(
        "--separate", is_flag=True, help="Take every run by itself, not seeds together."
    )(command)


def x_axis_option(command: Decorated) -> Decorated:
    """Adds `-x`, what curves are drawn over, as `x_axis`."""
    return click.option(
        "-x",
        "x_axis",
        type=click.Choice(["iteration", "samples", "time"]),
        default="iteration",
        show_default=True,
        help="What is to the right of curves; time leaves out pauses between attempts.",
    )(command)


def keys_option(help_text: str, *, required: bool = False) -> Callable[[Decorated], Decorated]:
    """Adds `-k KEY`, any number of times, as `keys`."""
    return click.option(
        "-k",
        "--keys",
        multiple=True,
        required=required,
        metavar="GLOB",
        help=f"A key or a glob; may be repeated. {help_text}",
    )


def chosen(store: Store, words: tuple[str, ...]) -> list[str]:
    """Returns the uids of the runs that words mean: every run of a name or a tag.

    Raises:
        UserError: a word means no run, or is the start of several.
    """
    from jaxpot.store.runs import find_all

    return [ref.uid for ref in find_all(store.runs_dir, words, every=True)]


def tell(notes: list[str]) -> None:
    """Writes notes to stderr."""
    for line in notes:
        note(f"note: {line}")
