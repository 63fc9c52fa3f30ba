"""A run whose folder is removed under it; the campaign has full disks, too."""

import pytest

from tests.faults import disks
from tests.faults.specs import write_specs

pytestmark = pytest.mark.slow


def test_a_run_whose_folder_is_removed_does_not_pass_for_a_whole_one(tmp_path):
    spec = write_specs(tmp_path / "specs")["plain"]
    disks.removed(spec, tmp_path / "removed", whole=False)
