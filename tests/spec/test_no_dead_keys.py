"""No dead keys: the program reads every field of every spec class.

A search for attribute names would not do: any `x.size` would keep every field called `size` alive.
So the type checker looks. In a copy of the package each field gets another name, and basedpyright
then reports each place that reads it, with the class that it was read from. A field without such a
place outside of `jaxpot/spec` is dead.

Fields that hold other config classes keep their names, or the checker would lose track of what is
read through them; those become getters marked as deprecated, which the checker reports as well.
"""

import ast
import inspect
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import jaxpot
from jaxpot.algorithms.search import SearchOptions
from jaxpot.spec.configs.parts import ImportedEvaluator, ImportedPart, ImportedPhase
from tests.spec.test_fields import CLASSES

pytestmark = pytest.mark.slow

PACKAGE = Path(jaxpot.__file__).parent
PLANTED = ("Debug", "size")
"""A field added in the copy: nothing reads it, though other things called `size` are read."""

READ_IN_SPEC = {
    "AlphaZero.replay_iterations": "configs/alphazero.py",
    "Best.every": "rules/metrics.py",
    "League.add_every": "configs/league.py",
    "League.fill_every": "configs/league.py",
    "RandomCollector.until": "payload.py",
    "Runtime.devices": "resolve.py",
}
"""Fields that only `jaxpot/spec` reads, and the module that does so: others use its result."""

READ_BY_NAME = {"AlphaZero": SearchOptions}
"""Classes whose fields `getattr` copies to another class, which is read in their place."""

ONLY_FOR_PEOPLE = {"Experiment.description"}
"""Fields without an effect. A run's header records them with the rest of its spec."""


def config_classes(annotation: Any) -> Iterator[type]:
    """Yield the attrs classes in an annotation."""
    if isinstance(annotation, type) and attrs.has(annotation):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from config_classes(argument)


def is_table(field: Any) -> bool:
    """Return whether a field holds config classes and never a number, as a schedule does."""
    return any(config_classes(field.type)) and float not in getattr(field.type, "__args__", ())


FIELDS = [(cls, field) for cls in CLASSES for field in attrs.fields(cls)]
OWNERS = {
    base.__name__: base
    for cls in (*CLASSES, *READ_BY_NAME.values())
    for base in cls.__mro__
    if attrs.has(base)
}
RENAMED = {field.name for _, field in FIELDS if not is_table(field)}
TABLES = {field.name for _, field in FIELDS if is_table(field)}


def is_protocol(node: ast.ClassDef) -> bool:
    return "Protocol" in map(ast.unparse, node.bases)


def members(node: ast.ClassDef) -> dict[str, ast.AnnAssign | ast.FunctionDef]:
    """Return the fields and methods that a class declares itself."""
    found = {}
    for member in node.body:
        match member:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.FunctionDef(name=name):
                found[name] = member
    return found


def instrument(path: Path) -> dict[str, set[str]]:
    """Rename or mark the fields in a module of the copy; return its protocols' members."""
    lines = path.read_text(encoding="utf-8").splitlines()
    classes = [n for n in ast.parse("\n".join(lines)).body if isinstance(n, ast.ClassDef)]
    for node in reversed(classes):
        if node.name not in OWNERS and not is_protocol(node):
            continue
        tables = {
            field.name: member
            for field in (attrs.fields(OWNERS[node.name]) if node.name in OWNERS else ())
            if is_table(field) and (member := members(node).get(field.name))
        }
        added = ["    from typing_extensions import deprecated"] if tables else []
        for name, member in tables.items():
            assert isinstance(member, ast.AnnAssign)
            added += [
                "    @property",
                f'    @deprecated("{node.name}.{name} is read")',
                f"    def {name}(self) -> {ast.unparse(member.annotation)}: ...",
            ]
        if node.name == PLANTED[0]:
            added += [f"    renamed_{PLANTED[1]}: int = 0"]
        lines[node.end_lineno : node.end_lineno] = added
        renamed = RENAMED | TABLES if is_protocol(node) else RENAMED - tables.keys()
        for name in members(node).keys() & renamed:
            member = members(node)[name]
            at, column = member.lineno - 1, member.col_offset
            column += len("def ") * isinstance(member, ast.FunctionDef)
            lines[at] = f"{lines[at][:column]}renamed_{lines[at][column:]}"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {node.name: set(members(node)) for node in classes if is_protocol(node)}


@pytest.fixture(scope="module")
def reads(tmp_path_factory) -> dict[tuple[str, str], set[str]]:
    """Return the modules that read a field, by its class or a protocol of it, and its name."""
    root = tmp_path_factory.mktemp("checked")
    package = root / "jaxpot"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    configs = {Path(inspect.getfile(cls)).relative_to(PACKAGE) for cls in OWNERS.values()}
    protocols: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package) in configs or "Protocol" in path.read_text(encoding="utf-8"):
            protocols |= instrument(path)
    settings = {"include": ["jaxpot"], "typeCheckingMode": "off", "pythonVersion": "3.11"}
    settings |= {"reportAttributeAccessIssue": "error", "reportDeprecated": "error"}
    (root / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--project", str(root)]
    command += ["--pythonpath", sys.executable]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[tuple[str, str], set[str]] = {}
    for problem in json.loads(answer.stdout)["generalDiagnostics"]:
        module = Path(problem["file"]).relative_to(package).as_posix()
        text = problem["message"]
        pairs = re.findall(r'attribute "(\w+)" for class "(?:type\[)?(\w+)', text)
        pairs += [(name, cls) for cls, name in re.findall(r"(\w+)\.(\w+) is read", text)]
        for name, cls in pairs:
            found.setdefault((cls, name), set()).add(module)
    for cls in CLASSES:
        fields = {field.name for field in attrs.fields(cls)}
        for protocol in (name for name, members in protocols.items() if members <= fields):
            for name in fields:
                found.setdefault((cls.__name__, name), set()).update(
                    found.get((protocol, name), ())
                )
    return found


def readers(reads: dict[tuple[str, str], set[str]], cls: type, name: str) -> set[str]:
    """Return the modules that read a field from its class, or from a base class of that."""
    return {module for base in cls.__mro__ for module in reads.get((base.__name__, name), ())}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_field_is_read(cls, reads):
    dead = []
    for field in attrs.fields(cls):
        key = f"{cls.__name__}.{field.name}"
        modules = readers(reads, cls, field.name)
        if copy := READ_BY_NAME.get(cls.__name__):
            modules |= readers(reads, copy, field.name)
        outside = {module for module in modules if not module.startswith("spec/")}
        inside = f"spec/{READ_IN_SPEC.get(key)}" in modules
        assert not (outside and key in {*READ_IN_SPEC, *ONLY_FOR_PEOPLE}), f"{key} needs no excuse"
        if not (outside or inside or key in ONLY_FOR_PEOPLE):
            dead.append(field.name)
    assert dead == []


def test_a_field_that_nothing_reads_is_found(reads):
    """Look for the planted field: the program reads a `size`, and not this one."""
    assert PLANTED not in reads
    sources = (path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    assert any(f".{PLANTED[1]}" in source for source in sources)


def test_every_class_within_a_spec_is_looked_at():
    inner = {cls for _, field in FIELDS for cls in config_classes(field.type)}
    users = {ImportedPart, ImportedEvaluator, ImportedPhase}
    assert inner - {*OWNERS.values()} - users == set()
