"""The fixtures of the store's tests: a runs directory, and a journal writer in it."""

from tests.store.conftest import run, runs_dir

__all__ = ["run", "runs_dir"]
