"""Codes in use are described, described codes are in use, and their examples are true."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import jaxpot
from jaxpot.errors import UserError
from jaxpot.spec.faults import CODES, SpecError, describe_code
from jaxpot.spec.source.load import load

EXAMPLE = (Path(__file__).parent / "example.toml").read_text(encoding="utf-8")
FRAGMENTS = {name: code for name, code in CODES.items() if not code.wrong.startswith("$")}


def codes_of(text):
    Path("spec.toml").write_text(text, encoding="utf-8")
    try:
        load("spec.toml", import_user_code=True)
    except SpecError as error:
        return {fault.code for fault in error.faults}
    return set()


@pytest.fixture
def base(tmp_path, monkeypatch):
    """A good spec to extend, without the section that has a default as a whole."""
    monkeypatch.chdir(tmp_path)
    start, end = EXAMPLE.index("[optimizer]"), EXAMPLE.index("[collect]")
    Path("base.toml").write_text(EXAMPLE[:start] + EXAMPLE[end:], encoding="utf-8")


def test_the_catalogue_has_the_codes_that_are_used():
    package = Path(jaxpot.__file__).parent
    source = "".join(file.read_text(encoding="utf-8") for file in package.rglob("*.py"))
    used = set(re.findall(r'(?:Fault|_refused|OpponentError)\(\s*"([a-z0-9-]+)"', source))
    assert used == set(CODES)


def test_a_good_spec_is_loaded_without_reading_the_catalogue():
    program = (
        "import jaxpot.spec\n"
        "from jaxpot.spec import faults as codes\n"
        f"jaxpot.spec.load({str(Path(__file__).parent / 'example.toml')!r})\n"
        "print(codes.read_codes.cache_info().misses, len(codes.CODES))\n"
        "print(codes.read_codes.cache_info().misses)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"0 {len(CODES)}\n1\n", "")


@pytest.mark.parametrize("name", CODES)
def test_names_and_texts_have_one_form(name):
    code = CODES[name]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert code.title.endswith(".") and code.rule.endswith(".")
    assert code.wrong != code.right


@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_wrong_fragment_breaks_its_rule_and_no_other(base, name):
    wrong = FRAGMENTS[name].wrong
    start = "" if "extends" in wrong else 'extends = "base.toml"\n'
    assert codes_of(start + wrong) == {name}


@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_right_fragment_breaks_no_rule(base, name):
    right = FRAGMENTS[name].right
    start = "" if "extends" in right else 'extends = "base.toml"\n'
    assert codes_of(start + right) == set()


@pytest.mark.parametrize("name", [name for name in CODES if name.startswith("override-")])
def test_the_examples_of_overrides(base, name):
    Path("spec.toml").write_text(EXAMPLE)
    wrong, right = (shlex.split(text)[-1] for text in (CODES[name].wrong, CODES[name].right))
    with pytest.raises(SpecError) as error:
        load("spec.toml", overrides=[wrong])
    assert [fault.code for fault in error.value.faults] == [name]
    load("spec.toml", overrides=[right])


def test_a_description(snapshot):
    assert describe_code("toml-duplicate-key") == snapshot


def test_an_unknown_code_has_a_suggestion():
    with pytest.raises(UserError, match=r"no fault code 'unknwon-key'; did you mean 'unknown-key'"):
        describe_code("unknwon-key")
