"""docs/architecture.md: its phase from outside runs, and its tables name what there is."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from jaxpot.cli.main import invoke
from jaxpot.loop import plan
from jaxpot.loop.clock import SPENT
from jaxpot.loop.phases import compile_graph
from tests.docs.pages import ROOT, blocks, files, page, write_files
from tests.tiny import tiny_experiment

TEXT = page("docs/architecture.md")
MODULES = files(TEXT, "python")
THREE = ["--iterations", "3"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The page's files, in the current folder, with the shipped spec that they extend."""
    write_files({**MODULES, **files(TEXT, "toml")}, tmp_path)
    (tmp_path / "specs").mkdir()
    shutil.copy(ROOT / "specs" / "smoke.toml", tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("average", None)


def test_every_block_of_code_is_a_file():
    assert list(MODULES) == ["average.py"]
    assert len(blocks(TEXT, "python")) == len(MODULES)


def test_the_phase_is_checked_and_planned(folder, capsys):
    assert invoke(["check", "average.toml", "--import", "--shapes"]) == 0
    assert "average:Average" in capsys.readouterr().out
    assert invoke(["plan", "average.toml", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    names = [phase["name"] for phase in planned["phases"]]
    assert names[names.index("training") + 1] == "average"
    assert "average" in [field["name"] for field in planned["fields"]]


def test_the_phase_runs_is_recorded_and_resumed(folder, capsys):
    """The rate of the spec reaches the phase, and a stopped run goes on to the same bits."""
    run = ["run", "average.toml", "--quiet", "--json", "-s", "expect=[]"]
    assert invoke(["--runs-dir", "whole", *run, "--iterations", "3"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert invoke(["--runs-dir", "cut", *run, "--iterations", "2"]) == 0
    capsys.readouterr()
    assert invoke(["--runs-dir", "cut", "resume", "latest", "--quiet", "--json", *THREE]) == 0
    resumed = json.loads(capsys.readouterr().out)
    assert whole["metrics"]["average/distance"] == resumed["metrics"]["average/distance"] > 0
    assert whole["digest"] == resumed["digest"]
    (saved,) = Path("whole").glob("*/checkpoints/*3/metadata.json")
    assert '"average/' in saved.read_text(encoding="utf-8")


def test_the_order_and_the_fields_are_the_graphs():
    graph = compile_graph(tiny_experiment())
    section = TEXT.partition("## The graph")[2].partition("## Lowering")[0]
    for phase in graph.phases:
        if not phase.name.startswith(("collect_", "eval_")):
            assert f"`{phase.name}`" in section
    for field in graph.fields:
        assert f"`{field.name}`" in section


def test_the_programs_are_the_plans():
    table = re.findall(r"^\| (`.+?`) \| .+ \| .+ \|$", TEXT, flags=re.MULTILINE)
    shown = {name for cell in table for name in re.findall(r"`([^`]+)`", cell)}
    experiment = tiny_experiment(runtime={"profile_every": 2})
    for name in plan.programs(compile_graph(experiment)):
        general = re.sub(r"\[[a-z+]+\]", "[R]", re.sub(r"^eval_\w+", "eval_<name>", name))
        timed = re.sub(r"(?<=^step\[R\]/)(?!pack)\w+", "<phase>", general)
        assert timed in shown or name.startswith("game_tree_"), name


def test_the_rows_of_the_times_are_the_clocks():
    section = TEXT.partition("**Where the time went.**")[2].partition("## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)) == SPENT
