"""Damaged files, in short: some of a checkpoint's, and all kinds of the store's."""

import pytest

from tests.faults import damage

pytestmark = pytest.mark.slow


def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(tmp_path):
    tally = damage.checkpoints(tmp_path, 1, every=23)
    tally.check()
    assert tally.total >= 4


def test_damaged_journals_and_databases(tmp_path):
    damage.journals_and_database(tmp_path, 1).check()
