import sys

import pytest

from jaxpot.cli.main import COMMANDS, invoke


@pytest.fixture(autouse=True)
def fresh_commands(monkeypatch):
    """Import each command again: click keeps the help option of a command's first call."""
    for entry in COMMANDS.values():
        monkeypatch.delitem(sys.modules, f"jaxpot.cli.{entry.module}", raising=False)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(command, capsys, snapshot, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert invoke([*([command] if command else []), "--help"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out == snapshot


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_example(command, capsys):
    invoke([command, "--help"])
    assert f"jaxpot {command}" in capsys.readouterr().out.partition("Examples:")[2]
