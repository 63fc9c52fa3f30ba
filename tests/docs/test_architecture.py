"""docs/architecture.md: its phase from outside runs, and its tables name what there is."""

from __future__ import annotations

import importlib
import re
import sys

import pytest

from jaxpot.loop import compile_graph, plan
from jaxpot.loop.clock import SPENT
from jaxpot.spec import resolved, to_toml
from jaxpot.testing.tiny import tiny_experiment
from tests.docs.pages import blocks, files, page, write_files
from tests.journal.reading import records

TEXT = page("docs/architecture.md")
MODULES = files(TEXT, "python")


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """Imports the page's modules as they stand there."""
    folder = tmp_path_factory.mktemp("architecture")
    write_files(MODULES, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield importlib.import_module("train_average").train
    for name in MODULES:
        sys.modules.pop(name.removesuffix(".py"), None)


def test_every_block_of_code_is_a_file():
    assert list(MODULES) == ["average.py", "train_average.py"]
    assert len(blocks(TEXT, "python")) == len(MODULES)


def test_the_phase_runs_and_is_recorded(train, tmp_path):
    only = {"eval": {"vs_random": None, "tree": None}, "collect": {"random": None}}
    experiment = tiny_experiment(iterations=2, overrides=only)
    spec = tmp_path / "tiny.toml"
    spec.write_text(to_toml(resolved(experiment)), encoding="utf-8")
    result = train(spec, tmp_path / "runs")
    assert (result.status, result.iterations) == ("completed", 2)
    payloads = records(result.run_dir / "journal.jsonl", kinds=("payload",))
    behind = [row["values"]["average/behind"] for row in payloads]
    assert all(value > 0 for value in behind)
    saved = result.run_dir.parent / result.checkpoint / "metadata.json"
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
