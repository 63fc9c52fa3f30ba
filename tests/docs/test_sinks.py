"""docs/sinks.md: its specs are checked, and its own sink works, resumed runs and all."""

from __future__ import annotations

import csv
import shutil

import pytest

from jaxpot.cli.main import invoke
from tests.docs.pages import ROOT, files, page, write_files
from tests.spec.specs import SMALL
from tests.store.journals import Writer

TEXT = page("docs/sinks.md")
SPECS = files(TEXT, "toml")
KEYS = ("total_loss", "iteration/sps")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Writes every file of the page beside the spec that they extend."""
    write_files(SPECS | files(TEXT, "python"), tmp_path)
    shutil.copy(ROOT / "specs" / "ttt.toml", tmp_path / "specs")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", SPECS)
def test_the_specs_are_right(folder, name):
    assert invoke(["check", str(folder / name), "--import"]) == 0


def test_the_own_sink_has_each_point_once(folder):
    table = {"kind": "my_sinks:Csv", "keys": list(KEYS)}
    run = Writer(folder / "runs", "u1")
    run.header(spec={**SMALL, "sinks": {"losses": table}})
    run.start()
    run.payloads(range(6))
    sync = ["--runs-dir", str(folder / "runs"), "sync", "u1"]
    assert invoke(sync) == 0
    run.start(4)
    run.payload(4, {"total_loss": "NaN"})
    run.payload(5)
    assert invoke(sync) == 0
    with (run.folder / "sinks" / "losses.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["iter", *KEYS]
    assert [int(row[0]) for row in rows] == list(range(6))
    assert rows[4][1] == "NaN"
