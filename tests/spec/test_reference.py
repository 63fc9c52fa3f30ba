"""The reference in `docs/` is made from the classes."""

from pathlib import Path

from jaxpot.spec.reference import reference
from jaxpot.spec.registry import REGISTRIES

FILE = Path(__file__).parents[2] / "docs" / "spec.md"


def test_the_shipped_file_is_the_reference():
    assert FILE.read_text(encoding="utf-8") == reference()


def test_every_kind_has_a_section():
    text = reference()
    for registry in REGISTRIES:
        for row in registry.rows:
            assert f'### `kind = "{row.kind}"`' in text
