"""The SQL examples of all pages have answers; docs/sql.md and docs/notebook.py run."""

from __future__ import annotations

import re
import runpy
import shlex
import sys

import pytest

from jaxpot.cli.main import invoke
from jaxpot.store import Store
from jaxpot.store.canned import named_queries
from jaxpot.store.open import prepared
from jaxpot.store.query import run_query
from tests.docs.pages import ROOT, blocks, page
from tests.store.journals import START, Writer, complete_run, standing
from tests.store.lab import lab

PAGES = sorted(path.name for path in ROOT.glob("docs/*.md"))
EXAMPLES = [
    pytest.param(query, id=f"{name}-{number}")
    for name in PAGES
    for number, query in enumerate(blocks(page(f"docs/{name}"), "sql"))
]
TEXT = page("docs/sql.md")
LINES = [
    line for block in blocks(TEXT, "sh") for line in block.splitlines() if line.startswith("jaxpot")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a sweep, and two runs that have a league and gates."""
    folder = tmp_path_factory.mktemp("docs")
    lab(folder / "runs")
    for number, name in ((1, "ttt_league"), (2, "ttt")):
        uid = f"20261122-10153{number}-aaaaaa"
        run = complete_run(folder / "runs", uid, name=name, start=START + 50_000.0 * number)
        run.record("tag", tag="paper")
        run.event("grade", {"other_process": {"verdict": "identical"}})
        run.record("standings", attempt=1, iter=18, standings=[standing("iter_000160", "league")])
    searching_run(folder / "runs")
    (folder / "question.sql").write_text("FROM runs")
    Store(folder / "runs").runs()
    return folder


def searching_run(runs_dir):
    """Write a run with the keys of AlphaZero, older than all others."""
    names = ("search_kl", "search_entropy", "value_loss", "value_known")
    names += ("eval_vs_random/lose_rate", "eval_search/lose_rate")
    run = Writer(runs_dir, "20261121-101530-aaaaaa", name="ttt_alphazero", start=START - 86_400.0)
    run.header()
    run.start()
    run.record("keys", keys=[{"name": name, "dtype": "float"} for name in ("total_loss", *names)])
    for iteration in range(2):
        run.payload(iteration, dict.fromkeys(names, 0.5))
    run.end()


@pytest.fixture(scope="module")
def connection(folder):
    """Return one connection for all examples."""
    with Store(folder / "runs").reading() as connection:
        yield connection


@pytest.mark.parametrize("query", EXAMPLES)
def test_examples_answer(connection, folder, query):
    text, parameters = prepared(connection, query, {})
    result = run_query(connection, text, path=folder, parameters=parameters)
    assert result.columns
    rows = result.all()
    # Two of the runs do not differ, and no gate is missed here.
    assert rows or re.search(r"differs_at|NOT passed", query)


@pytest.mark.parametrize("line", LINES)
def test_command_lines(folder, line, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    words = shlex.split(line)[1:]
    if words == ["sql"]:
        return  # the shell; tests/cli/test_shell.py tests it
    for target in folder.glob("*.duckdb"):
        if words[0] == "snapshot":
            target.unlink()
    words = ["latest" if word == "20261122-101530" else word for word in words]
    assert invoke(words) == 0
    captured = capsys.readouterr()
    assert captured.out or captured.err


def test_its_python_runs(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (code,) = blocks(TEXT, "python")
    exec(compile(code, "docs/sql.md", "exec"), {})  # noqa: S102


def test_the_notebook_runs(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    found = runpy.run_path(str(ROOT / "docs" / "notebook.py"))
    assert found["loss"]["smooth"].iloc[1] == pytest.approx(found["loss"]["value"][:2].mean())
    assert found["wide"].columns[:4] == ["uid", "run", "iter", "total_loss"]
    assert set(found["seeds"]["n"]) == {1, 3}
    assert (
        f"{found['best']['uid']}: {found['best']['best']:.4g} at iteration"
        in capsys.readouterr().out
    )
    assert "jax" not in found
    assert sys.modules.get("matplotlib") is None


def test_it_names_every_query():
    named = re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)
    assert named == sorted(named_queries())
