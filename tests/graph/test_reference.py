"""The payload's reference in `docs/` is made from what declares the keys, and misses none."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from jaxpot.graph.reference import reference
from jaxpot.spec import payload_keys
from jaxpot.testing.tiny import tiny_experiment

FILE = Path(__file__).parents[2] / "docs" / "payload.md"
ROWS = re.findall(r"^\| `([^`]+)` \| (int|float) \| (\S+) \|", reference(), flags=re.MULTILINE)


def test_the_shipped_file_is_the_reference():
    assert FILE.read_text(encoding="utf-8") == reference()


@pytest.mark.parametrize("profile_every", [0, 4])
def test_every_key_of_a_run_is_there_with_its_type_and_unit(profile_every):
    keys = payload_keys(tiny_experiment(runtime={"profile_every": profile_every}))
    emitted = {
        (re.sub(r"eval_(vs_random|tree)", "eval_<name>", key.name), key.dtype, key.unit or "-")
        for key in keys
    }
    assert emitted <= set(ROWS)
    if profile_every:
        assert emitted == set(ROWS)


def test_no_key_is_there_twice():
    assert len(ROWS) == len(set(ROWS))


def test_it_needs_no_jax():
    code = (
        "import sys; from jaxpot.graph.reference import reference; reference();"
        "sys.exit('jax' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
