"""Journals as lines."""

import os

import pytest

from jaxpot.errors import UserError
from jaxpot.store.exchange.copying import common_lines, copy_whole_lines, whole_size


def test_common_lines(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    for x, y, same in (
        (b"1\n2\n3\n", b"1\n2\n4\n", 4),
        (b"1\n2\n", b"1\n2\n3\n", 4),
        (b"", b"1\n", 0),
        (b"1\n22", b"1\n22\n", 2),
        (b"x" * 1_048_575 + b"\n" + b"1\n", b"x" * 1_048_575 + b"\n" + b"2\n", 1 << 20),
        (b"1\n" * (1 << 20), b"1\n" * (1 << 20), 1 << 21),
    ):
        a.write_bytes(x)
        b.write_bytes(y)
        assert common_lines(a, b) == same


@pytest.mark.parametrize(
    ("text", "whole"),
    [(b"", 0), (b"torn", 0), (b"a\nb\n", 4), (b"a\nb\ntorn", 4), (b"a\n" + b"x" * 3_000_000, 2)],
)
def test_whole_lines_are_copied(tmp_path, text, whole):
    (tmp_path / "a").write_bytes(text)
    assert whole_size(tmp_path / "a") == whole
    copy_whole_lines(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == text[:whole]


def test_only_plain_files_are_copied(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="is no plain file"):
        copy_whole_lines(tmp_path / "pipe", tmp_path / "b")
