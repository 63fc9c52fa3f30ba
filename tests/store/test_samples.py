"""Dumps of samples: whole or not there, the newest kept, damage named."""

import errno

import pytest

from jaxpot.errors import UserError
from jaxpot.store.samples import dumps, read_samples, write_samples


def test_it_reads_back_with_a_sample_a_line(tmp_path):
    rows = [{"action": 1, "value": float("nan")}, {"action": 2, "value": 0.5}]
    path = write_samples(tmp_path, {"format": 1, "iteration": 99}, rows, keep=3)
    assert path == tmp_path / "samples" / "000100.json"
    rows[0]["value"] = "NaN"
    assert read_samples(path) == {"format": 1, "iteration": 99, "samples": rows}
    assert len(path.read_text().splitlines()) == 4


def test_the_newest_are_kept(tmp_path):
    for iteration in (0, 9, 99, 1_999_999):
        write_samples(tmp_path, {"iteration": iteration}, [], keep=2)
    assert sorted(dumps(tmp_path)) == [100, 2_000_000]
    assert read_samples(dumps(tmp_path)[100]) == {"iteration": 99, "samples": []}


def test_nothing_is_left_of_one_that_cannot_be_written(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="full"):
        write_samples(tmp_path, {"iteration": 0}, [], keep=1)
    assert list((tmp_path / "samples").iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", '{"samples": 3}'])
def test_damage_is_named(tmp_path, text):
    (path := tmp_path / "000001.json").write_text(text)
    with pytest.raises(UserError, match=r"000001\.json: "):
        read_samples(path)


def test_a_run_without_any_has_none(tmp_path):
    assert dumps(tmp_path) == {}
