"""Imports point one way, and what must start fast imports nothing heavy."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import jaxpot

PACKAGE = Path(jaxpot.__file__).parent

MAY_IMPORT = {
    "errors": set(),
    "formatting": set(),
    "statistics": set(),
    "paths": {"errors"},
    "signals": set(),
    "spec": {"errors", "paths"},
    "journal": {"errors", "paths"},
    "games": {"errors", "spec"},
    "models": {"errors", "spec"},
    "algorithms": {"errors", "games", "models", "spec"},
    "checkpoints": {"errors", "paths", "spec"},
    "store": {"errors", "journal", "paths", "spec"},
    "trackers": {"errors", "journal", "paths", "signals", "spec", "store"},
    "league": {"errors", "spec"},
    "evaluators": {
        *("algorithms", "checkpoints", "errors", "games", "journal", "league", "models", "spec"),
        "store",
    },
    "loop": {
        *("algorithms", "checkpoints", "errors", "evaluators", "formatting", "games", "journal"),
        *("league", "models", "paths", "signals", "spec", "statistics", "store", "trackers"),
    },
    "verify": {"checkpoints", "errors", "journal", "loop", "paths", "spec", "store"},
    "testing": {
        *("algorithms", "errors", "evaluators", "games", "journal", "models", "spec", "store"),
        "verify",
    },
    "views": {
        *("errors", "formatting", "journal", "loop", "paths", "signals", "spec", "statistics"),
        "store",
        *("trackers", "verify"),
    },
    "store.exchange": {"checkpoints", "errors", "journal", "paths", "spec", "store", "trackers"},
    "store.garbage": {"checkpoints", "errors", "journal", "loop", "paths", "spec", "store"},
    "cli": {
        *("errors", "formatting", "journal", "loop", "paths", "signals", "spec", "store"),
        *("store.exchange", "store.garbage", "trackers", "verify", "views"),
    },
    "__main__": {"cli"},
}
"""What each part of the package may import beside itself, at once or later."""

HEAVY = {"duckdb", "flax", "jax", "jinja2", "mctx", "numpy", "optax", "orbax", "pgx"}
LIGHT = (
    *("errors", "formatting", "journal", "statistics", "paths", "signals", "spec", "store"),
    *("checkpoints", "store.exchange", "store.garbage", "trackers", "views", "cli"),
)
"""Parts that import nothing of `HEAVY` before it is needed."""

BEFORE_JAX = (
    "environment",
    "graph",
    "observer",
    "phase",
    "plan",
    "provenance",
    "restoring",
    "result",
    "run",
    "seeds",
)
"""Modules of the loop that run before jax is imported, since they prepare for it."""


class Import(NamedTuple):
    """An import of a module, and whether it happens as soon as its own module is imported."""

    module: str
    at_once: bool


def imports(path: Path) -> Iterator[Import]:
    """Yields what a module imports, but for type checkers only."""
    return _imports(ast.parse(path.read_text(encoding="utf-8")), at_once=True)


def _imports(node: ast.AST, *, at_once: bool) -> Iterator[Import]:
    match node:
        case ast.Import(names=names):
            yield from (Import(alias.name, at_once) for alias in names)
        case ast.ImportFrom(module=str(module), level=0, names=names):
            members = (f"{module}.{alias.name}" for alias in names)
            targets = {member if member in MODULES else module for member in members}
            yield from (Import(target, at_once) for target in sorted(targets))
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=orelse):
            for child in orelse:
                yield from _imports(child, at_once=at_once)
        case _:
            put_off = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                yield from _imports(child, at_once=at_once and not put_off)


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def part_of(module: str) -> str:
    """Returns the part that a module belongs to, the longest of `MAY_IMPORT` that it is in."""
    name = module.removeprefix("jaxpot.")
    pieces = ".".join(name.split(".")[:2])
    return pieces if pieces in MAY_IMPORT else name.split(".")[0]


MODULES = {dotted(path): path for path in sorted(PACKAGE.rglob("*.py"))}
PARTS = sorted({part_of(module) for module in MODULES if module != "jaxpot"})


def heavy_at_once(module: str) -> list[str]:
    return [
        f"{module} imports {found.module}"
        for found in imports(MODULES[module])
        if found.at_once and found.module.partition(".")[0] in HEAVY
    ]


def test_every_part_has_a_layer():
    assert sorted(MAY_IMPORT) == PARTS
    order = list(MAY_IMPORT)
    for part, allowed in MAY_IMPORT.items():
        assert all(order.index(below) < order.index(part) for below in allowed)


@pytest.mark.parametrize("part", PARTS)
def test_imports_point_one_way(part):
    wrong = [
        f"{module} imports {found.module}"
        for module in MODULES
        if module != "jaxpot" and part_of(module) == part
        for found in imports(MODULES[module])
        if found.module.startswith("jaxpot.")
        and part_of(found.module) not in {part, *MAY_IMPORT[part]}
    ]
    assert wrong == []


@pytest.mark.parametrize("part", LIGHT)
def test_nothing_heavy_is_imported_at_once(part):
    inside = [module for module in MODULES if module != "jaxpot" and part_of(module) == part]
    assert [found for module in inside for found in heavy_at_once(module)] == []


@pytest.mark.parametrize("name", BEFORE_JAX)
def test_what_prepares_for_jax_does_not_import_it(name):
    assert heavy_at_once(f"jaxpot.loop.{name}") == []


def test_the_extension_points_are_imported_by_nobody():
    """Nothing imports `cli`, and only a user's own tests import `testing`."""
    for part in MAY_IMPORT.keys() - {"__main__"}:
        assert not MAY_IMPORT[part] & {"cli", "testing"}, part


def test_no_modules_import_one_another_in_a_circle():
    sorter = TopologicalSorter(
        {
            module: {
                found.module
                for found in imports(path)
                # A package is done before the modules in it see it.
                if found.module in MODULES and not module.startswith(f"{found.module}.")
            }
            for module, path in MODULES.items()
        }
    )
    sorter.prepare()


def test_the_public_surface(snapshot):
    """That of `jaxpot.spec` is pinned beside its other tests."""
    surface = {}
    for module, path in MODULES.items():
        if path.name == "__init__.py" and module != "jaxpot.spec":
            package = importlib.import_module(module)
            surface[module] = getattr(package, "__all__", [])
            assert all(hasattr(package, name) for name in surface[module])
    assert surface == snapshot
