"""The command lines of docs/runs.md run, and it names every table of an export."""

from __future__ import annotations

import re
import shlex
import tarfile

import pytest

from jaxpot.cli.main import invoke
from jaxpot.store import Store
from jaxpot.store.exchange.exporting import TABLES
from tests.cli.runs import two_runs
from tests.docs.pages import blocks, page
from tests.store.exchange.test_tensorboard_logs import Log

TEXT = page("docs/runs.md")


@pytest.fixture
def runs_dir(tmp_path, monkeypatch):
    """Write the runs that the page names, and change to their folder."""
    runs_dir = tmp_path / "runs"
    two_runs(runs_dir)
    with tarfile.open(tmp_path / "runs.tar.gz", "w:gz") as archive:
        archive.add(runs_dir, "runs")
    log = Log(tmp_path / "logs" / "old")
    log.value(1, simple_value=1.0)
    log.file.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("click.edit", lambda *_, **__: "from the editor")
    return runs_dir


def test_command_lines(runs_dir, tmp_path):
    lines = [line for block in blocks(TEXT, "sh") for line in block.splitlines()]
    assert len(lines) > 15
    for line in lines:
        words = shlex.split(line, comments=True)[1:]
        words = words[: words.index(">")] if ">" in words else words
        moved = {"/mnt/cluster/runs": str(runs_dir), "~/logs": str(tmp_path / "logs")}
        assert invoke(["--runs-dir", str(runs_dir), *(moved.get(w, w) for w in words)]) == 0, line
    tags = {row.name: row.tags for row in Store(runs_dir).runs()}
    assert "baseline" in tags["other"]
    assert "swept" in tags["ttt"]
    assert "old" in tags["old"]


def test_commands_in_sentences():
    for line in re.findall(r"`jaxpot ((?:tag|note|rm|restore|gc|export|import)[^`]*)`", TEXT):
        words = [word for word in shlex.split(line) if word.startswith("--")]
        assert invoke([line.split()[0], *words, "--help"]) == 0, line


def test_the_tables_of_an_export():
    section = TEXT.partition("## Export")[2].partition("## Import")[0]
    assert [name for name in TABLES if f"`{name}`" not in section] == []
