"""Declarative self-play experiments: a typed spec in, a bit-exact run and its record out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxpot.store.open import open_store

__all__ = ["__version__", "open_store"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import `open_store` when it is asked for: importing jaxpot alone stays light."""
    if name != "open_store":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from jaxpot.store.open import open_store

    return open_store
