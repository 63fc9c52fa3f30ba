"""The shell of `jaxpot sql`: without a terminal, and once with a real one."""

import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from jaxpot.cli.shell import Shell, history_file
from jaxpot.cli.shell_words import WordCompleter, Words
from jaxpot.store import Store, database
from jaxpot.store.open import open_store
from tests.cli.runs import two_runs

SLOW = (
    "SELECT i FROM range(100000000000) AS t(i) WHERE hash(i) % 100000000 = 77 AND hash(2 * i) = 3;"
)


# Make the terminal the controlling one, so that Ctrl-C arrives as from a keyboard.
AT_TERMINAL = """
import fcntl, os, signal, sys, termios
os.setsid()
signal.signal(signal.SIGINT, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "jaxpot", *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    """Return a runs directory of two runs, shared by the tests."""
    path = tmp_path_factory.mktemp("shell") / "runs"
    two_runs(path)
    Store(path).runs()
    return path


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """Give each test its own history; return the folder above it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def shell_of(runs_dir, **given):
    return Shell(open_store(runs_dir), given, max_rows=3, allow_files=False)


def typed(runs_dir, text, **given):
    """Type a text into a shell, with keys as a terminal sends them."""
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text(text)
        shell_of(runs_dir, **given).run()


def test_queries_over_several_lines(runs_dir, capsys):
    typed(
        runs_dir, "SELECT name,\r  iterations\rFROM runs\rORDER BY name;\rSELECT 40 + 2 AS a;\r\x04"
    )
    shown = capsys.readouterr().out.split()
    begun = shown.index("name")
    assert shown[begun : begun + 2] == ["name", "iterations"]
    assert shown[begun + 3 : begun + 7] == ["other", "6", "ttt", "20"]
    assert (shown[-3], shown[-1]) == ("a", "42")


def test_errors_are_lines(runs_dir, capsys):
    typed(
        runs_dir, "SELEC 1;\rFROM nope;\rseedz;\r\\nope\r\\d nope\r\\p x\rDELETE FROM runs;\r\\q\r"
    )
    errors = capsys.readouterr().err
    assert errors.count("error: ") == 7
    assert "Traceback" not in errors
    for part in (
        "syntax error",
        "nope does not exist",
        "did you mean 'seeds'",
        r"there is no \nope",
    ):
        assert part in errors


def test_the_commands(runs_dir, capsys):
    typed(
        runs_dir,
        "\\?\r\\d\r\\d latest\r\\d series\r\\l\r\\timing\r\\x\r\\x\r\\x\r\\p run=ttt\r"
        "SELECT $run AS a;\rlearning_curves;\rquit\r",
        key="iteration/sps",
    )
    captured = capsys.readouterr()
    for part in (
        "Tab completes",
        "table        attempts",
        "value  DOUBLE   The last value.",
        "table macro series(run, key, samples)",
        "best_per_spec  The best value",
        "timing is on",
        "answers are one line per value",
        "answers are a table",
        "answers are whichever fits",
        "$run = ttt",
        "20261122-101530-aaaaaa",
        "iter   samples   seconds",
    ):
        assert part in captured.out, part
    assert "the first 3 rows" in captured.err
    assert captured.err.count(" s\n") >= 2


def test_ctrl_c_at_the_prompt_ends_nothing(runs_dir, capsys):
    typed(runs_dir, "SELECT half\x03SELECT 42 AS a;\r\x04")
    assert "42" in capsys.readouterr().out


@pytest.fixture
def heeding():
    """Handle Ctrl-C, which is ignored if the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding")
def test_ctrl_c_ends_a_query_and_not_the_shell(runs_dir, capsys):
    shell = shell_of(runs_dir)
    threading.Timer(0.7, os.kill, [os.getpid(), signal.SIGINT]).start()
    shell.answer(SLOW)
    shell.answer("SELECT 42 AS a;")
    captured = capsys.readouterr()
    assert captured.err.endswith("stopped\n")
    assert "42" in captured.out


def test_nothing_is_held_between_queries(runs_dir):
    shell = shell_of(runs_dir)
    shell.answer("SELECT 1;")
    with database.connect(runs_dir / "jaxpot.duckdb", read_only=False) as connection:
        connection.execute("SELECT 1")


def test_history_is_the_users(runs_dir, state):
    typed(runs_dir, "SELECT 1 AS kept;\r\x04")
    file = history_file()
    assert file == state / "jaxpot" / "sql_history"
    assert "SELECT 1 AS kept;" in file.read_text()
    assert file.parent.stat().st_mode & 0o077 == 0
    typed(runs_dir, "\x1b[A\r\x04")
    assert file.read_text().count("SELECT 1 AS kept;") == 1


def test_a_state_folder_that_cannot_be_written(runs_dir, state, capsys):
    state.write_text("a file")
    typed(runs_dir, "SELECT 42 AS a;\r\x04")
    captured = capsys.readouterr()
    assert "note: the history is not kept" in captured.err
    assert "42" in captured.out


def test_completions_replace_what_is_begun(runs_dir):
    words = Words()
    with open_store(runs_dir).reading() as connection:
        words.read(connection)
    document = Document("SELECT * FROM spec_p")
    (found,) = WordCompleter(words).get_completions(document, CompleteEvent())
    assert (found.text, found.start_position) == ("spec_params", -len("spec_p"))


@pytest.mark.slow
def test_at_a_real_terminal(runs_dir):
    terminal, side = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", AT_TERMINAL, "--runs-dir", str(runs_dir), "sql"],
        **dict.fromkeys(("stdin", "stdout", "stderr"), side),
        env={**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
    )
    os.close(side)
    shown = b""

    def until(text):
        nonlocal shown
        shown, end = b"", time.monotonic() + 30
        while text not in shown:
            assert time.monotonic() < end, shown
            if select.select([terminal], [], [], 0.1)[0]:
                shown += os.read(terminal, 65536)

    try:
        until(b"Ctrl-D to leave")
        os.write(terminal, b"SELECT 41 + 1 AS answer;\r")
        until(b"     42")
        os.write(terminal, SLOW.encode() + b"\r")
        time.sleep(1.0)
        os.write(terminal, b"\x03")
        until(b"stopped")
        time.sleep(0.5)
        os.write(terminal, b"\\q\r")
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.wait()
        os.close(terminal)
