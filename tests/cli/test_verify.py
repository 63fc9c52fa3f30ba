import json

import pytest

from jaxpot.cli.main import invoke
from jaxpot.verify import trials
from jaxpot.verify.compare import Row, compare
from jaxpot.verify.report import Compared, Report
from tests.cli.runs import two_runs

pytestmark = pytest.mark.optimised

SPEC = "specs/smoke.toml"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["latest", "--golden", "x.json"], "--golden needs a spec"),
        (["latest", "--against", "python"], "--against needs a spec"),
        ([SPEC, "--from", "3"], "--from needs a recorded run"),
        ([SPEC, "--across-versions"], "--across-versions needs a recorded run"),
        ([SPEC, "--update"], "--update goes with --golden FILE"),
        ([SPEC, "--missing-ok"], "--missing-ok goes with --golden FILE"),
        ([SPEC, "--golden", "x", "--against", "y"], "exclude each other"),
        ([SPEC, "--golden", "x", "--grade"], "--grade and --golden exclude each other"),
        (["nothing.toml"], "nothing.toml"),
        ([SPEC, "--golden", "nothing.json"], "nothing.json: is not there"),
        ([SPEC, "--iterations", "2", "--against", "no/python"], "no/python: cannot be started"),
        (["nobody"], "no run in"),
        (["latest", "--from", "7"], "has no checkpoint '7'"),
    ],
)
def test_wrong_input_is_one_line(arguments, said, tmp_path, capsys, monkeypatch):
    two_runs(tmp_path)
    monkeypatch.setattr(trials, "Child", _Absent)
    assert invoke(["--runs-dir", str(tmp_path), "verify", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "Traceback" not in captured.err


class _Absent(trials.Child):
    """Start no process except the interpreter of another environment."""

    def __new__(cls, *arguments, python=None, **options):
        return super().__new__(cls)

    def __init__(self, *arguments, python=None, **options):
        super().__init__(*arguments, python=python or "no/python", **options)


def test_a_run_of_another_machine_exits_with_2(tmp_path, capsys):
    two_runs(tmp_path)
    assert invoke(["--runs-dir", str(tmp_path), "verify", "latest", "--json"]) == 2
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert report["verdict"] == "not_comparable"
    assert any(text.startswith("jaxlib: absent then") for text in report["differs"])
    assert "--across-versions compares anyway" in captured.err


@pytest.mark.parametrize("values", [(0.5, 0.5), (0.5, 0.25)])
def test_the_report(values, capsys, monkeypatch, snapshot):
    a, b = ([Row(0, "a" * 16, {"total_loss": value, "n": 3})] for value in values)
    compared = Compared(a="recorded", b="re-run", comparison=compare(a, b))

    def verify(*arguments, **options):
        return Report(subject="run x (ttt)", compared=(compared,), notes=("reported",))

    monkeypatch.setattr("jaxpot.verify.checks.verify_run", verify)
    code = 0 if values[0] == values[1] else 3
    assert invoke(["verify", "latest"]) == code
    text = capsys.readouterr()
    assert text.err == "note: reported\n"
    assert invoke(["verify", "latest", "--json"]) == code
    assert (text.out, json.loads(capsys.readouterr().out)) == snapshot


@pytest.mark.parametrize(("options", "code"), [([], 2), (["--missing-ok"], 0)])
def test_a_missing_golden_entry_is_said_whatever_the_status(options, code, capsys, monkeypatch):
    def check(*arguments, **keywords):
        differs = ("no entry: nothing was compared",)
        return Report(subject="spec s", outcome="missing", differs=differs)

    monkeypatch.setattr("jaxpot.verify.golden.check_golden", check)
    assert invoke(["verify", SPEC, "--golden", "g.json", *options]) == code
    assert "no entry: nothing was compared" in capsys.readouterr().out
