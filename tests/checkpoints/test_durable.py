import errno
import os
from pathlib import Path

import pytest

from jaxpot.checkpoints import durable


def a_tree(path: Path, text: str = "a") -> Path:
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "file").write_text(text)
    return path


def test_publish(tmp_path: Path) -> None:
    temporary = a_tree(durable.aside(tmp_path / "000100", "tmp"))
    durable.publish(temporary, tmp_path / "000100")
    assert os.listdir(tmp_path) == ["000100"]


def test_publish_replaces(tmp_path: Path) -> None:
    a_tree(tmp_path / "000100", "old")
    durable.publish(a_tree(tmp_path / "new", "new"), tmp_path / "000100")
    assert os.listdir(tmp_path) == ["000100"]
    assert (tmp_path / "000100" / "inner" / "file").read_text() == "new"


def test_retire_and_discard(tmp_path: Path) -> None:
    gone = durable.retire(a_tree(tmp_path / "000100"))
    assert durable.parse_aside(gone) == (gone, "del", tmp_path / "000100")
    assert (gone / "inner" / "file").read_text() == "a"
    durable.discard(gone)
    durable.discard(gone)
    assert os.listdir(tmp_path) == []


def test_a_name_set_aside_is_recognised(tmp_path: Path) -> None:
    for what in ("tmp", "old", "del"):
        aside = durable.aside(tmp_path / "a-b", what)
        assert aside != durable.aside(tmp_path / "a-b", what)
        assert durable.parse_aside(aside) == (aside, what, tmp_path / "a-b")
    for name in ("000100", ".tmp-000100", ".tmp-000100-0123ABCD", ".new-000100-0123abcd"):
        assert durable.parse_aside(tmp_path / name) is None


def test_links_share_their_files(tmp_path: Path) -> None:
    source, linked = a_tree(tmp_path / "a"), tmp_path / "b"
    durable.link_tree(source, linked)
    assert (linked / "inner" / "file").samefile(source / "inner" / "file")


def test_without_hard_links_files_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    durable.link_tree(a_tree(tmp_path / "a"), tmp_path / "b")
    assert (tmp_path / "b" / "inner" / "file").read_text() == "a"
    assert (tmp_path / "b" / "inner" / "file").stat().st_nlink == 1


def test_another_fault_of_a_link_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(OSError, match="full"):
        durable.link_tree(a_tree(tmp_path / "a"), tmp_path / "b")


def test_sweep(tmp_path: Path) -> None:
    a_tree(tmp_path / "000100")
    a_tree(tmp_path / ".tmp-000200-0123abcd")
    a_tree(tmp_path / ".del-000300-0123abcd")
    a_tree(tmp_path / ".old-000100-0123abcd", "replaced already")
    a_tree(tmp_path / ".old-000400-0123abcd", "not replaced")
    (tmp_path / ".tmp-manifest.json-0123abcd").write_text("{")
    (tmp_path / ".somebody-elses").write_text("")
    durable.sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".somebody-elses", "000100", "000400"]
    assert (tmp_path / "000400" / "inner" / "file").read_text() == "not replaced"
    durable.sweep(tmp_path / "missing")


def test_every_file_and_directory_is_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    keep = os.fsync

    def fsync(descriptor: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        keep(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    durable.sync_tree(a_tree(tmp_path / "a"))
    names = [tmp_path / "a/inner/file", tmp_path / "a/inner", tmp_path / "a", tmp_path]
    assert flushed == [str(name) for name in names]
