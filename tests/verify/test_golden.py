import json

import pytest

from jaxpot.errors import UserError
from jaxpot.spec import load, resolved, spec_digest, to_toml
from jaxpot.verify import rerun
from jaxpot.verify.golden import check_golden, update_golden
from tests.tiny import tiny_experiment

pytestmark = pytest.mark.optimised


def quiet(text):
    del text


@pytest.fixture
def loaded(tmp_path):
    path = tmp_path / "tiny.toml"
    overrides = {"collect": {"random": None}, "eval": {"vs_random": None, "tree": None}}
    path.write_text(to_toml(resolved(tiny_experiment(overrides=overrides))))
    return load(path)


def edited(file, change):
    content = json.loads(file.read_text())
    change(content["entries"])
    file.write_text(json.dumps(content))


@pytest.mark.slow
def test_a_golden_file_from_its_making_to_a_difference(loaded, tmp_path):
    file, runs_dir = tmp_path / "golden.json", tmp_path / "runs"
    made = update_golden(loaded, file, runs_dir=runs_dir, iterations=2, tell=quiet)
    assert (made.verdict, made.exit_code) == ("updated", 0)
    (entry,) = json.loads(file.read_text())["entries"]
    assert entry["key"]["nproc"] == 2
    assert entry["key"]["isa"] in ("AVX2", "NEON", "SVE")
    assert [row["iter"] for row in entry["rows"]] == [0, 1]
    assert not any(key.startswith("timings/") for key in entry["rows"][0]["values"])

    def other(entries):
        entries[0]["rows"][1]["digest"] = "0" * 16
        entries[0]["versions"]["optax"] = "0"

    edited(file, other)
    found = check_golden(loaded, file, runs_dir=runs_dir, tell=quiet)
    assert (found.verdict, found.exit_code) == ("different", 3)
    first = found.compared[0].comparison.first
    # What was not edited is equal.
    assert (first.iteration, first.key, first.others) == (1, "state digest", ())
    assert found.differs[0].startswith("optax: 0 then, ")


MACHINE = {"os": "Linux", "arch": "x86_64", "device_kind": "cpu", "isa": "AVX2", "nproc": 2}
CONTRACTS = {"contract": "v1", "rows": "v2"}


@pytest.fixture
def golden(loaded, tmp_path, monkeypatch):
    """Writes a golden file of one entry, with some of its facts otherwise, and checks the spec."""
    attempt = {**MACHINE, **CONTRACTS, "versions": {"jaxlib": "0.0.1"}}
    monkeypatch.setattr(rerun.Child, "attempt", lambda *_: attempt)
    row = {"iter": 0, "digest": "0" * 16, "values": {"total_loss": "NaN"}}

    def check(*, spec=None, entries=1, **facts):
        key = {**MACHINE, **CONTRACTS, "jaxlib": "0.0.1", **facts}
        entry = {"key": key, "versions": {}, "rows": [row]}
        entry["spec_digest"] = spec or spec_digest(loaded.experiment)
        file = tmp_path / "golden.json"
        content = {"golden_version": 1, "spec": "tiny", "entries": [entry] * entries}
        file.write_text(json.dumps(content))
        return check_golden(loaded, file, runs_dir=tmp_path / "runs", tell=quiet)

    return check


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"spec": "of another spec"}, "the spec has changed since the entry for Linux"),
        ({"contract": "v0"}, "has contract v0; now v1"),
        ({"rows": "v1"}, "has rows v1; now v2"),
        ({"rows": None}, "has rows None; now v2"),
        ({"jaxlib": "0.0.2"}, "has jaxlib 0.0.2; now 0.0.1"),
        ({"rows": "v1", "isa": "NEON"}, "has rows v1; now v2"),
        ({"entries": 0}, "the file has no entries"),
    ],
)
def test_an_entry_that_is_out_of_date_fails(golden, facts, said):
    found = golden(**facts)
    assert (found.verdict, found.exit_code) == ("not_comparable", 2)
    assert any(said in text for text in found.differs)


def test_only_another_machine_lacks_an_entry(golden):
    found = golden(isa="NEON")
    assert (found.verdict, found.exit_code) == ("missing", 2)
    assert "no entry for os Linux" in found.differs[0]
    assert "isa AVX2" in found.differs[0] and "nothing was compared" in found.differs[0]
    assert "isa NEON" in found.differs[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "is not there; --update makes it"),
        ("{", "this is not JSON"),
        ("[]", "golden_version is None"),
        ('{"golden_version": 2}', "golden_version is 2, and this jaxpot reads 1"),
        ('{"golden_version": 1}', "entries is not a list"),
        ('{"golden_version": 1, "entries": [1]}', r"entries\[0\] is not a table"),
        ('{"golden_version": 1, "entries": [{}]}', "lacks key or spec_digest"),
        (
            '{"golden_version": 1, "entries": [{"key": {}, "spec_digest": "", "versions": {},'
            ' "rows": [{"iter": 0}]}]}',
            "has a row that is not iter, digest and values",
        ),
    ],
)
def test_what_is_no_golden_file_is_refused(loaded, tmp_path, text, said):
    file = tmp_path / "golden.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=said):
        check_golden(loaded, file, runs_dir=tmp_path, tell=quiet)
