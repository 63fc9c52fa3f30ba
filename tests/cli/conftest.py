"""Fixtures that the tests of several commands share."""

import pytest

from tests.cli.runs import two_runs


@pytest.fixture
def runs_dir(tmp_path):
    """Return a runs directory of two runs."""
    two_runs(tmp_path / "runs")
    return tmp_path / "runs"
