"""Archives of runs, and archives that are something else."""

import io
import os
import tarfile
import zipfile

import pytest

from jaxpot.errors import UserError
from jaxpot.store import Store
from jaxpot.store.exchange import archives
from jaxpot.store.exchange.archives import unpack
from jaxpot.store.exchange.importing import import_path
from tests.cli.runs import two_runs


@pytest.fixture
def folder(tmp_path):
    """A folder to unpack into."""
    (tmp_path / "deep" / "unpacked").mkdir(parents=True)
    return tmp_path / "deep" / "unpacked"


def tar(path, *members):
    """Write an archive of (name, data or a member's type, link's target)."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data, *target in members:
            info = tarfile.TarInfo(name)
            if isinstance(data, bytes) and not target:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
            else:
                info.type = data
                info.linkname = target[0]
                archive.addfile(info)
    return path


@pytest.mark.parametrize("name", ["runs.tar.gz", "runs.tgz", "runs.tar", "runs.zip"])
def test_runs_in_archives(tmp_path, name):
    two_runs(tmp_path / "there" / "runs")
    archive = tmp_path / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted((tmp_path / "there").rglob("*")):
                file.write(path, path.relative_to(tmp_path / "there"))
    else:
        with tarfile.open(archive, "w" if name.endswith(".tar") else "w:gz") as file:
            file.add(tmp_path / "there" / "runs", "runs")
    here = tmp_path / "here"
    assert [run.action for run in import_path(here, archive)] == ["imported"] * 2
    assert [run.action for run in import_path(here, archive)] == ["skipped"] * 2
    assert len(Store(here).runs()) == 2
    assert not [path for path in here.iterdir() if path.name.startswith(".")]


def test_hard_links_stay(tmp_path, folder):
    archive = tar(tmp_path / "a.tgz", ("a/x", b"data"), ("b/x", tarfile.LNKTYPE, "a/x"))
    unpack(archive, folder)
    assert (folder / "b/x").samefile(folder / "a/x")


@pytest.mark.parametrize(
    "members",
    [
        [("../evil", b"x")],
        [("/etc/evil", b"x")],
        [("a/../../evil", b"x")],
        [("a", tarfile.SYMTYPE, "/etc/passwd")],
        [("a", tarfile.SYMTYPE, "..")],
        [("a", tarfile.LNKTYPE, "/etc/passwd")],
        [("a", tarfile.LNKTYPE, "../../secret")],
        [("a", tarfile.FIFOTYPE, "")],
        [("a", tarfile.CHRTYPE, "")],
        [("a", b"x"), ("a", b"y")],
        [("/".join("a" * 40), b"x")],
    ],
)
def test_what_leads_out_is_refused(tmp_path, folder, members):
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(UserError, match="nothing was imported from it"):
        unpack(tar(tmp_path / "evil.tgz", *members), folder)
    assert {path.name for path in tmp_path.iterdir()} == {"deep", "evil.tgz", "secret"}
    assert not any(path.is_symlink() for path in folder.rglob("*"))


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "link"])
def test_zips_that_lead_out_are_refused(tmp_path, folder, name):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        info = zipfile.ZipInfo(name)
        if name == "link":
            info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(UserError, match="nothing was imported from it"):
        unpack(tmp_path / "evil.zip", folder)
    assert list(folder.rglob("*")) == []


def test_bombs_are_refused(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(archives, "_ALWAYS_ALLOWED", 1 << 20)
    monkeypatch.setattr(archives, "MAX_RATIO", 10)
    bomb = tar(tmp_path / "bomb.tgz", ("journal.jsonl", bytes(8 << 20)))
    with pytest.raises(UserError, match="unpack to more than"):
        unpack(bomb, folder)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("journal.jsonl", bytes(8 << 20))
    with pytest.raises(UserError, match="unpack to more than"):
        unpack(tmp_path / "bomb.zip", folder / "..")
    size = sum(path.stat().st_size for path in folder.parent.rglob("*") if path.is_file())
    assert size <= 4 << 20


def test_too_many_members_are_refused(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    with pytest.raises(UserError, match="one member more than 3"):
        unpack(tar(tmp_path / "a.tgz", *((f"{n}", b"") for n in range(4))), folder)


def test_a_header_of_any_length_is_not_read(tmp_path, folder):
    """A long name is read into memory by tarfile, however long it says it is."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 12))
    with pytest.raises(UserError, match="is longer than any"):
        unpack(tmp_path / "a.tar", folder)


@pytest.mark.parametrize("name", ["a.tgz", "a.tar", "a.zip"])
def test_damage_is_said(tmp_path, folder, name):
    whole = tar(tmp_path / "whole.tgz", ("a", os.urandom(1 << 16))).read_bytes()
    for data in (b"", b"garbage" * 100, whole[: len(whole) // 2]):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match="cannot be unpacked"):
            unpack(tmp_path / name, folder)


def test_an_encrypted_zip_is_refused(tmp_path, folder):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "x")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="is encrypted"):
        unpack(path, folder)
