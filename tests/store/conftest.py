"""Fixtures: a runs directory, and a journal writer in it."""

from pathlib import Path

import pytest

from tests.store.journals import Writer

UID = "20261122-101530-aaaaaa"


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    """Returns a runs directory that does not exist yet."""
    return tmp_path / "runs"


@pytest.fixture
def run(runs_dir: Path) -> Writer:
    """Returns a run whose journal has its header and first attempt."""
    writer = Writer(runs_dir, UID)
    writer.header()
    writer.start()
    return writer
