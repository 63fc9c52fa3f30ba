"""No dead keys: every field of every spec class is read by something that is not the spec."""

import ast
from functools import cache
from pathlib import Path

import attrs
import pytest

import jaxpot
from tests.spec.test_fields import CLASSES

PACKAGE = Path(jaxpot.__file__).parent
READ_BY_THE_SPEC = {
    "devices": "digest.py",
    "archive": "windows.py",
    "add_every": "configs/league.py",
    "fill_every": "configs/league.py",
    "replay_iterations": "configs/alphazero.py",
}
"""Fields that only the spec itself reads, with the module that does: what it makes of them, such
as windows and schedules, is what others read.
"""


@cache
def attributes_read(path):
    """The names of attributes that a module reads, by dot or in a class pattern."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            names.add(node.attr)
        elif isinstance(node, ast.MatchClass):
            names.update(node.kwd_attrs)
    return names


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_field_is_read(cls):
    outside = [path for path in PACKAGE.rglob("*.py") if PACKAGE / "spec" not in path.parents]
    read = set().union(*map(attributes_read, outside))
    for name, module in READ_BY_THE_SPEC.items():
        assert name in attributes_read(PACKAGE / "spec" / module)
        read.add(name)
    assert [field.name for field in attrs.fields(cls) if field.name not in read] == []
