"""The project's own files agree with each other."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

import jaxpot

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
PINS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
REQUIRED = [
    *PROJECT["dependencies"],
    *(each for extra in PROJECT["optional-dependencies"].values() for each in extra),
]


def canonical(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


NAMES = sorted({canonical(each) for each in REQUIRED} - {"jaxpot"})


def test_constraints_are_exact_pins_and_nothing_else():
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", pin) for pin in PINS)
    assert len({canonical(pin) for pin in PINS}) == len(PINS)


@pytest.mark.parametrize("name", NAMES)
def test_every_dependency_is_pinned_and_earns_its_line(name):
    assert name in {canonical(pin) for pin in PINS}
    rows = re.findall(r"^\| ([\w.-]+) \| \S", read("docs/dependencies.md"), flags=re.MULTILINE)
    assert name in {canonical(row) for row in rows}


def test_versions_agree():
    assert "version" in PROJECT["dynamic"], "`jaxpot.__version__` is the one place"
    dynamic = PYPROJECT["tool"]["setuptools"]["dynamic"]
    assert dynamic["version"] == {"attr": "jaxpot.__version__"}
    assert f"\nversion: {jaxpot.__version__}\n" in read("CITATION.cff")
    assert f"\n## {jaxpot.__version__} " in read("HISTORY.md")


def test_every_file_of_the_package_is_installed():
    globs = PYPROJECT["tool"]["setuptools"]["package-data"]["jaxpot"]
    installed = {path for glob in globs for path in (ROOT / "jaxpot").glob(glob)}
    there = {path for path in (ROOT / "jaxpot").rglob("*") if path.is_file()}
    assert {path for path in there - installed if path.suffix not in {".py", ".pyc"}} == set()


def test_ci_is_executable_and_checks_what_just_checks():
    recipe = read("justfile").partition("\ncheck:\n")[2].partition("\n\n")[0]
    assert os.access(ROOT / ".ci/run", os.X_OK)
    for line in recipe.splitlines():
        assert line.strip() in read(".ci/run")


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")
