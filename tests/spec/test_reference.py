"""The reference in `docs/` is made from the classes."""

import subprocess
import sys
from pathlib import Path

import pytest

from jaxpot.spec.reference import reference
from jaxpot.spec.registry import REGISTRIES

DOCS = Path(__file__).parents[2] / "docs"


def test_the_shipped_file_is_the_reference():
    assert (DOCS / "spec.md").read_text(encoding="utf-8") == reference()


@pytest.mark.parametrize(
    ("module", "page"),
    [("jaxpot.spec.reference", "spec.md"), ("jaxpot.loop.payload_reference", "payload.md")],
)
def test_the_command_prints_the_page(module, page):
    done = subprocess.run([sys.executable, "-m", module], capture_output=True, check=True)
    assert done.stdout == (DOCS / page).read_bytes()


def test_every_kind_has_a_section():
    text = reference()
    for registry in REGISTRIES:
        for row in registry.rows:
            assert f'### `kind = "{row.kind}"`' in text
