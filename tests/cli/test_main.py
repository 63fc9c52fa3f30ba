import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from jaxpot import __version__
from jaxpot.cli import main
from jaxpot.errors import UserError
from jaxpot.spec.faults import Fault, SpecError

HEAVY = ("jax", "flax", "optax", "orbax", "pgx", "numpy", "duckdb", "rich", "attrs", "cattrs")


@pytest.fixture
def call(monkeypatch, capsys):
    """Run `jaxpot ARGUMENTS` with a command `try` that does the given action."""

    def run(arguments, action=lambda ctx: None):
        @click.command("try")
        @click.pass_context
        def command(ctx):
            action(ctx)

        module = SimpleNamespace(try_command=command)
        monkeypatch.setitem(main.COMMANDS, "try", main.Entry("Runs", "fake", "Try."))
        monkeypatch.setitem(sys.modules, "jaxpot.cli.fake", module)
        code = main.invoke(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def raising(error):
    def action(ctx):
        raise error

    return action


def test_version(call):
    assert call(["--version"]) == (0, f"jaxpot {__version__}\n", "")


def test_every_command_is_there():
    for name, entry in main.COMMANDS.items():
        command = main.cli.get_command(click.Context(main.cli), name)
        assert command is not None
        assert command.name == name
        assert entry.summary.endswith(".")


def test_unknown_command_suggests_the_nearest(call):
    code, out, err = call(["rnu"])
    assert (code, out) == (2, "")
    assert err == "error: no such command 'rnu'; did you mean 'run'?\ntry `jaxpot --help`\n"


def test_unknown_command_without_a_neighbour_lists_them_all(call):
    _, _, err = call(["xyzzy"])
    assert "there are check, plan, explain," in err


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", "a", "--iterations", "0"], ["run", "a", "--seed", "-1"]]
)
def test_wrong_options_are_refused_in_one_way(call, arguments):
    code, out, err = call(arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.endswith("try `jaxpot run --help`\n")


def test_user_error(call):
    assert call(["try"], raising(UserError("no run 'x'"))) == (2, "", "error: no run 'x'\n")


def test_spec_error_prints_its_lines_as_they_are(call):
    faults = [Fault("a", ("b",), "is wrong"), Fault("c", (), "too")]
    code, _, err = call(["try"], raising(SpecError(faults)))
    assert code == 2
    assert err == "".join(f"{fault}\n" for fault in faults)


def test_interrupt(call):
    assert call(["try"], raising(KeyboardInterrupt()))[0] == 130


def test_exit_status_of_a_command(call):
    assert call(["try"], lambda ctx: ctx.exit(3))[0] == 3
    assert call(["try"])[0] == 0


def test_what_the_machine_refuses_is_a_line(call):
    refused = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/a/journal.jsonl")
    code, _, err = call(["try"], raising(refused))
    assert code == 1
    assert err == "error: runs/a/journal.jsonl: No space left on device\n"


@pytest.mark.parametrize("error", [ValueError("bug"), FileNotFoundError(errno.ENOENT, "gone")])
def test_bugs_are_not_hidden(call, error):
    with pytest.raises(type(error)):
        call(["try"], raising(error))


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["try"], None, "runs"),
        (["try"], "elsewhere", "elsewhere"),
        (["--runs-dir", "before", "try"], "elsewhere", "before"),
    ],
)
def test_runs_dir(call, monkeypatch, arguments, environment, expected):
    monkeypatch.delenv("JAXPOT_RUNS_DIR", raising=False)
    if environment:
        monkeypatch.setenv("JAXPOT_RUNS_DIR", environment)
    seen = []
    call(arguments, lambda ctx: seen.append(ctx.obj["runs_dir"]))
    assert seen == [Path(expected)]


def test_help_and_version_import_nothing_heavy():
    code = (
        "import sys; from jaxpot.cli.main import invoke; invoke(['--help']);"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_shell_completion_names_the_commands():
    environ = {**os.environ, "COMP_WORDS": "jaxpot r", "COMP_CWORD": "1"}
    environ["_JAXPOT_COMPLETE"] = "bash_complete"
    code = "from jaxpot.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ)
    assert done.stdout.split() == [f"plain,{name}" for name in main.COMMANDS if name[0] == "r"]


def test_closed_pipe_is_quiet():
    code = (
        "import sys; from jaxpot.cli import main;"
        "sys.argv = ['jaxpot', '--help']; sys.stdin.read(); main.main()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdin and child.stdout and child.stderr
    child.stdout.close()
    child.stdin.close()
    assert child.wait(timeout=60) == main.EXIT_PIPE
    assert child.stderr.read() == ""
    child.stderr.close()
