"""The entry point of `jaxpot`: the table of commands, exit codes and error messages.

A command's module is imported only when that command is called, so `jaxpot --help` and the
commands that only read start as fast as click does.
"""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem, shell_complete

from jaxpot import __version__
from jaxpot.cli import descriptors
from jaxpot.cli.completion import COMPLETE_VARIABLE
from jaxpot.cli.options import UserPath
from jaxpot.cli.output import note
from jaxpot.errors import UserError
from jaxpot.paths import check_working_directory
from jaxpot.signals import end_on_signals

EXIT_FAILED = 1
EXIT_USER = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141

# The machine's refusals (full disk, no permission): one line. Other OSErrors are bugs: traceback.
_REFUSALS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EIO}
    | {errno.EFBIG, errno.ELOOP}
)


class Entry(NamedTuple):
    """A row of the command table: `jaxpot.cli.<module>` defines `<command>_command`."""

    section: str
    module: str
    summary: str


COMMANDS: dict[str, Entry] = {
    "check": Entry("Specs", "specs", "Check specs and report every fault with its line."),
    "plan": Entry("Specs", "plan", "Show the phases, programs and shapes of a spec."),
    "explain": Entry("Specs", "explain", "Explain a fault code or a value of a spec."),
    "schema": Entry("Specs", "specs", "Write the JSON Schema of specs."),
    "keys": Entry("Specs", "plan", "Show the random keys that a run will use."),
    "diff": Entry("Specs", "specs", "Compare two specs value by value."),
    "run": Entry("Runs", "run", "Train the experiment of a spec."),
    "resume": Entry("Runs", "run", "Continue a run from its newest checkpoint."),
    "watch": Entry("Runs", "run", "Watch a run that another process trains."),
    "verify": Entry("Runs", "verify", "Train again and compare every bit."),
    "bisect": Entry("Runs", "bisect", "Find where two runs start to differ."),
    "expect": Entry("Runs", "expect", "Judge the learning gates of a recorded run."),
    "ls": Entry("Records", "ls", "List runs."),
    "show": Entry("Records", "show", "Show everything about a run."),
    "samples": Entry("Records", "samples", "Show the positions and moves a run trained on."),
    "sql": Entry("Records", "sql", "Query the records of all runs with SQL."),
    "compare": Entry("Records", "compare", "Compare the specs and results of runs."),
    "plot": Entry("Records", "plot", "Plot learning curves, to a file or the terminal."),
    "report": Entry("Records", "plot", "Write a report on runs as one HTML file."),
    "snapshot": Entry("Records", "database", "Write a copy of the database."),
    "tag": Entry("Upkeep", "annotate", "Tag runs, to find them by."),
    "note": Entry("Upkeep", "annotate", "Add a note to a run."),
    "rm": Entry("Upkeep", "trash", "Move runs to the trash, or delete them for good."),
    "restore": Entry("Upkeep", "trash", "Bring runs back from the trash."),
    "gc": Entry("Upkeep", "gc", "Find checkpoints and files that are safe to delete."),
    "export": Entry("Upkeep", "exchange", "Write runs as Parquet, CSV, JSON, TensorBoard."),
    "import": Entry("Upkeep", "exchange", "Import runs of another machine or of TensorBoard."),
    "sync": Entry("Upkeep", "sync", "Send recorded runs to TensorBoard, W&B or other sinks."),
    "rebuild": Entry("Upkeep", "database", "Rebuild the database from the journals."),
    "completion": Entry("Shell", "completion", "Print a shell's completion script."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module and return the command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"jaxpot.cli.{entry.module}")
        return getattr(module, f"{cmd_name}_command")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command by its name; suggest the nearest one if there is none."""
        name = args[0]
        if not name.startswith("-") and name not in COMMANDS:
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no such command {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that start with `incomplete`, without importing them."""
        commands = [
            CompletionItem(name, help=entry.summary)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table by section from its summaries, without importing the commands."""
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            rows = [(name, e.summary) for name, e in COMMANDS.items() if e.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--runs-dir",
    type=UserPath(file_okay=False),
    default=Path("runs"),
    show_default=True,
    envvar="JAXPOT_RUNS_DIR",
    show_envvar=True,
    help="Directory of the runs and their database.",
)
@click.version_option(__version__, "--version", message="jaxpot %(version)s")
@click.pass_context
def cli(ctx: click.Context, runs_dir: Path) -> None:
    """Self-play experiments in JAX, each declared in one TOML file.

    \b
    Examples:
      jaxpot check specs/*.toml
      jaxpot run specs/ttt.toml
      jaxpot resume latest
      jaxpot plot latest -k total_loss
      jaxpot sql "select name, status, iterations from runs"

    Data goes to stdout, prose and progress to stderr. `jaxpot COMMAND --help` explains a command.

    Exit status: 0 done, 1 the run failed or missed a gate, 2 the input is wrong, 3 verification
    found a difference, 128 + n interrupted by signal n (130 by Ctrl-C) after saving a checkpoint,
    141 the reader of the output closed it.
    """
    check_working_directory()
    ctx.ensure_object(dict)["runs_dir"] = runs_dir


def invoke(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status. Only a bug raises an exception."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    code = 0
    try:
        try:
            # click's own main would exit with 1 on a closed pipe, as for a failed run.
            with cli.make_context("jaxpot", given) as ctx:
                cli.invoke(ctx)
        except click.exceptions.Exit as end:
            code = end.exit_code
        sys.stdout.flush()
    except click.ClickException as error:
        text = error.format_message().rstrip(".")
        note(f"error: {text[:1].lower()}{text[1:]}")
        if isinstance(error, click.UsageError):
            note(f"try `{error.ctx.command_path if error.ctx else 'jaxpot'} --help`")
        return EXIT_USER
    except UserError as error:
        from jaxpot.spec.faults import SpecError

        # The lines of a spec's faults start with their files already.
        note(str(error) if isinstance(error, SpecError) else f"error: {error}")
        return error.exit_code
    except MemoryError as error:
        note(f"error: out of memory{f': {error}' if str(error) else ''}")
        return EXIT_FAILED
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except OSError as error:
        # A command that failed or was interrupted keeps its status if its output fails too.
        if error.errno == errno.EPIPE:
            return code or EXIT_PIPE
        if error.errno not in _REFUSALS:
            raise
        note(f"error: {error.filename or 'output'}: {error.strerror}")
        return code or EXIT_FAILED
    return code


def main() -> None:
    """Run `jaxpot` on the process's arguments, or complete them for a shell."""
    descriptors.secure()
    end_on_signals()
    instruction = os.environ.get(COMPLETE_VARIABLE)
    try:
        if instruction:
            sys.exit(shell_complete(cli, {}, "jaxpot", COMPLETE_VARIABLE, instruction))
        sys.exit(invoke())
    finally:
        descriptors.settle_stdout()


if __name__ == "__main__":
    main()
