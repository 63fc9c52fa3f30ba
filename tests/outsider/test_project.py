"""A user's project calls jaxpot from pytest as in `docs/ci.md`, with only its own files."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from jaxpot.cli.main import COMMANDS, cli
from tests.docs.pages import files, page

pytestmark = pytest.mark.optimised

PROJECT = Path(__file__).with_name("project")
PAGE = page("docs/ci.md")


@pytest.mark.slow
def test_its_tests_pass_and_leave_nothing_behind(tmp_path):
    folder = tmp_path / "race"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "100"}
    environment.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


def test_the_page_shows_its_tests():
    shown = files(PAGE, "python")
    assert list(shown) == ["test_race.py"]
    text = shown["test_race.py"].removeprefix("# test_race.py\n")
    assert text == (PROJECT / "test_race.py").read_text(encoding="utf-8")


def test_the_page_names_commands_and_options_that_there_are():
    lines = re.findall(r"jaxpot (\w+) ((?:[\w./$]+ |--[\w-]+(?: (?!--)[\w./]+)? ?)*)", PAGE)
    seen = set()
    for name, words in lines:
        if name not in COMMANDS:
            continue
        command = cli.get_command(click.Context(cli), name)
        known = {option for parameter in command.params for option in parameter.opts}
        used = set(re.findall(r"--[\w-]+", words))
        assert used <= known, (name, used - known)
        seen |= used
    assert seen >= {"--iterations", "--golden", "--missing-ok", "--update", "--against"}
