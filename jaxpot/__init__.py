"""Declarative self-play experiments: a typed spec in, a bit-exact run and its record out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxpot.loop.run import resume, run
    from jaxpot.spec import load
    from jaxpot.store.open import open_store

__all__ = ["__version__", "load", "open_store", "resume", "run"]

__version__ = "0.1.0"

_HOMES = {
    "load": "jaxpot.spec",
    "open_store": "jaxpot.store.open",
    "resume": "jaxpot.loop.run",
    "run": "jaxpot.loop.run",
}


def __getattr__(name: str) -> Any:
    """Import a public function at first use, so that importing jaxpot alone stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
