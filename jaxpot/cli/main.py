"""Entry point of `jaxpot`: the table of commands, and what an error looks like to a user.

Nothing here imports a command's module before that command is named, so `jaxpot --help` and
the commands that only read start in the time that click takes.
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
from click.shell_completion import CompletionItem

from jaxpot import __version__
from jaxpot.cli import descriptors
from jaxpot.cli.options import UserPath
from jaxpot.errors import UserError
from jaxpot.paths import check_working_directory
from jaxpot.signals import end_on_signals

EXIT_FAILED = 1
EXIT_USER = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141

COMPLETE_VARIABLE = "_JAXPOT_COMPLETE"
"""Set by a shell that wants to know how a command line goes on."""

# What the machine refuses, as opposed to what a bug does: worth a line, not a traceback.
_REFUSALS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EIO}
    | {errno.EFBIG, errno.ELOOP}
)


class Entry(NamedTuple):
    """A row of the table of commands."""

    section: str
    module: str
    summary: str


COMMANDS: dict[str, Entry] = {
    "check": Entry("Specs", "jaxpot.cli.check", "Check specs: every fault, each with its line."),
    "plan": Entry("Specs", "jaxpot.cli.plan", "Show the phases, programs and shapes of a spec."),
    "explain": Entry("Specs", "jaxpot.cli.explain", "Explain a fault's code or a spec's value."),
    "schema": Entry("Specs", "jaxpot.cli.schema", "Write the JSON Schema of a spec."),
    "keys": Entry("Specs", "jaxpot.cli.keys", "Show the random keys that a run will use."),
    "diff": Entry("Specs", "jaxpot.cli.diff", "Compare two specs value by value."),
    "run": Entry("Runs", "jaxpot.cli.run", "Train what a spec says."),
    "resume": Entry("Runs", "jaxpot.cli.resume", "Continue a run from its newest checkpoint."),
    "watch": Entry("Runs", "jaxpot.cli.watch", "Watch a run that another process trains."),
    "verify": Entry("Runs", "jaxpot.cli.verify", "Train again, and compare every bit."),
    "bisect": Entry("Runs", "jaxpot.cli.bisect", "Find where two runs part."),
    "expect": Entry("Runs", "jaxpot.cli.expect", "Judge a recorded run's learning gates."),
    "ls": Entry("Records", "jaxpot.cli.ls", "List runs."),
    "show": Entry("Records", "jaxpot.cli.show", "Show everything about a run."),
    "samples": Entry("Records", "jaxpot.cli.samples", "Show what a run trained on, boards drawn."),
    "sql": Entry("Records", "jaxpot.cli.sql", "Query every run's records with SQL."),
    "compare": Entry("Records", "jaxpot.cli.compare", "Compare runs: specs, values, who is ahead."),
    "plot": Entry("Records", "jaxpot.cli.plot", "Plot learning curves, to a file or the terminal."),
    "report": Entry("Records", "jaxpot.cli.report", "Write runs as one HTML file."),
    "snapshot": Entry("Records", "jaxpot.cli.snapshot", "Write a copy of the database."),
    "tag": Entry("Upkeep", "jaxpot.cli.tag", "Tag runs, to find them by."),
    "note": Entry("Upkeep", "jaxpot.cli.note", "Write down what there is to say about a run."),
    "rm": Entry("Upkeep", "jaxpot.cli.rm", "Move runs to the trash, or delete them for good."),
    "restore": Entry("Upkeep", "jaxpot.cli.restore", "Bring runs back from the trash."),
    "gc": Entry("Upkeep", "jaxpot.cli.gc", "Find what can be deleted without loss; delete it."),
    "export": Entry(
        "Upkeep", "jaxpot.cli.export", "Write runs as Parquet, CSV, JSON, TensorBoard."
    ),
    "import": Entry(
        "Upkeep", "jaxpot.cli.import_", "Take in runs of another machine, or TensorBoard's."
    ),
    "sync": Entry("Upkeep", "jaxpot.cli.sync", "Send recorded runs to sinks: TensorBoard, W&B."),
    "rebuild": Entry("Upkeep", "jaxpot.cli.rebuild", "Make the database again from journals."),
    "completion": Entry("Shell", "jaxpot.cli.completion", "Print a shell's completion script."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the commands in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command's module and returns its `command`."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = importlib.import_module(entry.module).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.module}.command is not a click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command that is named, or raises with the nearest names there are."""
        name = args[0]
        if not name.startswith("-") and name not in COMMANDS:
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no such command {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Gives the commands that begin with what is there, importing none of them."""
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [
            *(
                CompletionItem(name, help=entry.summary)
                for name, entry in COMMANDS.items()
                if name.startswith(incomplete)
            ),
            *options,
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the table by section, from its own summaries, importing nothing."""
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
    help="Where runs and their database live.",
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

    Data goes to stdout, prose and progress to stderr. Exit status: 0 done, 1 the run failed or
    missed a gate, 2 the input is wrong, 3 verification found a difference, 130, 143 or another
    128 + n interrupted by signal n, with a checkpoint; 141 nobody read the output.
    """
    check_working_directory()
    ctx.ensure_object(dict)["runs_dir"] = runs_dir


def invoke(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit status; only a bug escapes as an exception."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    code = 0
    try:
        try:
            # click's own main would turn a closed pipe into exit status 1: a failed run.
            with cli.make_context("jaxpot", given) as ctx:
                cli.invoke(ctx)
        except click.exceptions.Exit as end:
            code = end.exit_code
        sys.stdout.flush()
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "jaxpot"
        _complain(f"error: {_sentence(error)}\ntry `{path} --help`")
        return EXIT_USER
    except click.ClickException as error:
        _complain(f"error: {_sentence(error)}")
        return EXIT_USER
    except UserError as error:
        _complain(user_text(error))
        return error.exit_code
    except MemoryError as error:
        _complain(f"error: out of memory{f': {error}' if str(error) else ''}")
        return EXIT_FAILED
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except OSError as error:
        # An interrupted or failed command keeps its own status, also where the output fails.
        if error.errno == errno.EPIPE:
            return code or EXIT_PIPE
        if error.errno not in _REFUSALS:
            raise
        _complain(f"error: {error.filename or 'output'}: {error.strerror}")
        return code or EXIT_FAILED
    return code


def main() -> None:
    """Runs `jaxpot` on the process's own arguments, or completes them for a shell."""
    descriptors.secure()
    end_on_signals()
    instruction = os.environ.get(COMPLETE_VARIABLE)
    try:
        if instruction:
            from click.shell_completion import shell_complete

            sys.exit(shell_complete(cli, {}, "jaxpot", COMPLETE_VARIABLE, instruction))
        sys.exit(invoke())
    finally:
        descriptors.settle_stdout()


def user_text(error: UserError) -> str:
    """Returns what a user reads: a spec's fault lines as they are, else `error: text`."""
    from jaxpot.spec.faults import SpecError

    return str(error) if isinstance(error, SpecError) else f"error: {error}"


def _sentence(error: click.ClickException) -> str:
    text = error.format_message().rstrip(".")
    return text[:1].lower() + text[1:]


def _complain(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
