"""What comes from elsewhere may be anything: refused in a line, or taken in where it is whole."""

import gzip
import io
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboardX import SummaryWriter

from jaxpot.errors import UserError
from jaxpot.store.exchange.archives import unpack
from jaxpot.store.exchange.event_files import read_log
from jaxpot.store.exchange.journals import import_journal
from tests.store.journals import complete_run


@st.composite
def damaged(draw, whole: bytes) -> bytes:
    """Some bytes of `whole` changed, and some of its end cut off."""
    data = bytearray(whole[: draw(st.integers(0, len(whole)))])
    for _ in range(draw(st.integers(0, 8))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


def event_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        with SummaryWriter(folder) as writer:
            for step in range(12):
                writer.add_scalar("x", step, step)
            writer.add_text("y", "text")
        return next(Path(folder).iterdir()).read_bytes()


def run_folder() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        run = complete_run(Path(folder), "20261122-101530-aaaaaa")
        return {"runs/a/journal.jsonl": run.path.read_bytes(), "runs/a/x/y": b"z" * 600}


def tarred(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


EVENTS, FILES = event_file(), run_folder()
ARCHIVES = {"a.tar": tarred(FILES), "a.tgz": gzip.compress(tarred(FILES)), "a.zip": zipped(FILES)}


@settings(max_examples=30, deadline=None)
@given(damaged(EVENTS))
def test_event_files(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.out.tfevents.1.x"
        path.write_bytes(data)
        log = read_log([path])
    assert set(log.values) <= set(range(12))


@pytest.mark.parametrize("name", ARCHIVES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_archives(name, data):
    with tempfile.TemporaryDirectory() as folder:
        archive, room = Path(folder) / name, Path(folder) / "deep" / "room"
        archive.write_bytes(data.draw(damaged(ARCHIVES[name])))
        room.mkdir(parents=True)
        try:
            unpack(archive, room)
        except UserError as error:
            assert str(error).startswith(str(archive))
        assert {path.name for path in Path(folder).iterdir()} == {name, "deep"}
        assert {path.name for path in room.parent.iterdir()} == {"room"}


@settings(max_examples=30, deadline=None)
@given(damaged(FILES["runs/a/journal.jsonl"]))
def test_journals(data):
    with tempfile.TemporaryDirectory() as folder:
        there, here = Path(folder) / "there", Path(folder) / "here"
        there.mkdir()
        (there / "journal.jsonl").write_bytes(data)
        try:
            found = import_journal(here, there)
        except UserError:
            assert not here.exists()
        else:
            copied = (here / found.uid / "journal.jsonl").read_bytes()
            assert copied == data[: data.rfind(b"\n") + 1]
