"""Completion by TAB: through click, and in a real bash."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from jaxpot.cli import main
from tests.cli.runs import two_runs

UIDS = ["20261122-111530-bbbbbb", "20261122-101530-aaaaaa"]


@pytest.fixture
def complete(tmp_path, monkeypatch):
    two_runs(tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JAXPOT_RUNS_DIR", raising=False)

    def offered(*words):
        shell = ShellComplete(main.cli, {}, "jaxpot", main.COMPLETE_VARIABLE)
        return shell.get_completions(list(words[:-1]), words[-1])

    return offered


def values(items):
    return [item.value for item in items]


def test_commands_and_options(complete):
    assert values(complete("")) == list(main.COMMANDS)
    assert values(complete("re")) == [name for name in main.COMMANDS if name.startswith("re")]
    assert all(item.help.endswith(".") for item in complete(""))
    assert "--golden" in values(complete("verify", "--g"))


def test_runs_newest_first_by_name_uid_and_tag(complete):
    every = values(complete("show", ""))
    assert every[:3] == ["latest", "other", UIDS[0]]
    assert [word for word in every if word in UIDS] == UIDS
    assert values(complete("show", "20261122-10")) == [UIDS[1]]
    assert len(every) == len(set(every)) > 5  # with the complete run's tags


def test_the_runs_of_the_folder_that_is_named(complete, tmp_path):
    assert values(complete("--runs-dir", str(tmp_path / "none"), "show", "")) == ["latest"]
    assert values(complete("show", "--runs-dir", str(tmp_path / "none"), "")) == ["latest"]


def test_a_run_or_a_file(complete):
    offered = complete("verify", "sp")
    assert [(item.value, item.type) for item in offered] == [("sp", "file")]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(shell, capsys):
    assert main.invoke(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert main.COMPLETE_VARIABLE in script
    assert f"{shell}_complete" in script


def test_in_a_real_bash(complete):
    script = """
    eval "$(jaxpot completion bash)"
    COMP_WORDS=(jaxpot show 20261122-11) COMP_CWORD=2
    _jaxpot_completion jaxpot
    printf '%s\\n' "${COMPREPLY[@]}"
    complete -p jaxpot
    """
    here = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, env=environment
    )
    assert done.stderr == ""
    reply, registered = done.stdout.splitlines()
    assert reply == UIDS[0]
    assert "_jaxpot_completion" in registered


def test_a_shell_that_is_not_known(capsys):
    assert main.invoke(["completion", "tcsh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err
