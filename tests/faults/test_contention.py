"""Eight writers, a reader, and a stranger who holds the database for three seconds."""

import pytest

from tests.faults import contention

pytestmark = pytest.mark.slow


def test_no_row_is_lost_or_doubled(tmp_path):
    contention.contention(tmp_path, runs=8, readers=1, seconds=3, real=False).check()
