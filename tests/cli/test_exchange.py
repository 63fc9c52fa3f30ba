"""`jaxpot export` and `jaxpot import`."""

import csv
import io
import json

import pytest

from jaxpot.cli.exchange import export_command, import_command
from jaxpot.errors import UserError
from jaxpot.store import Store
from tests.cli.runs import call
from tests.store.journals import Writer

A, B = "20261122-101530-aaaaaa", "20261122-111530-bbbbbb"


def test_to_stdout(runs_dir):
    done = call(export_command, runs_dir, "ttt", "-f", "csv", "-k", "total_*")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["iter"] for row in rows] == [str(n) for n in range(20)]
    done = call(export_command, runs_dir, "ttt", "other", "-f", "jsonl")
    assert len(done.stdout.splitlines()) == 26


def test_the_form_is_what_the_place_ends_in(runs_dir, tmp_path):
    for name in ("x.parquet", "x.csv", "x.jsonl"):
        done = call(export_command, runs_dir, "latest", "-o", str(tmp_path / name), "--json")
        assert json.loads(done.stdout) == [str(tmp_path / name)]
        assert done.stderr.endswith(f"wrote {tmp_path / name}\n")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("ttt",), "--format is one of"),
        (("ttt", "-o", "x.txt"), "--format is one of"),
        (("ttt", "-f", "parquet"), "parquet needs a place"),
        (("ttt", "-f", "tensorboard", "-o", "-"), "tensorboard needs a place"),
        (("ttt", "-f", "csv", "-o", "x.parquet"), "ends in .parquet, but --format is csv"),
        (("ttt", "-f", "csv", "-k", "nope"), "no key is like that"),
        (("nope", "-f", "csv"), "no run in"),
    ],
)
def test_what_is_refused(runs_dir, arguments, why):
    done = call(export_command, runs_dir, *arguments)
    assert isinstance(done.exception, UserError)
    assert why in str(done.exception)


def test_importing(runs_dir, tmp_path):
    here = tmp_path / "here"
    done = call(import_command, here, str(runs_dir), "--tag", "cluster")
    assert (done.exit_code, done.stderr) == (0, "")
    titles, first, second = (line.split(maxsplit=3) for line in done.stdout.splitlines())
    assert titles == ["uid", "name", "action", "detail"]
    assert first == [A, "ttt", "imported"]
    # The fixture's second journal ends in a torn line.
    assert second[:3] == [B, "other", "imported"]
    assert second[3].startswith("left out the line at byte ") and "not JSON" in second[3]
    assert all("cluster" in row.tags for row in Store(here).runs())
    assert Store(here).find("cluster").uid == B


def test_an_import_that_is_refused(runs_dir, tmp_path):
    here = tmp_path / "here"
    Writer(here, A, name="another").header()
    done = call(import_command, here, str(runs_dir), "--json")
    assert done.exit_code == 2
    assert [row["action"] for row in json.loads(done.stdout)] == ["refused", "imported"]
    assert done.stderr == f"error: {A} is refused: another journal is here under its uid\n"
    done = call(import_command, here, str(tmp_path / "no"), str(runs_dir / B), "--json")
    assert [row["action"] for row in json.loads(done.stdout)] == ["refused", "skipped"]
    assert "there is no such file or folder" in done.stderr
    assert isinstance(call(import_command, here, "x", "--tag", "no tag").exception, UserError)
