"""Which tags runs have: from the database and the journals beyond it, or from journals alone."""

import pytest

from jaxpot.store import Store
from jaxpot.store.runs import find, find_all, journals
from jaxpot.store.tags import tags_of
from tests.store.journals import START, Writer
from tests.store.test_database import held


@pytest.fixture
def two(runs_dir):
    """Two runs of one name: the older tagged later."""
    older = Writer(runs_dir, "20261122-100000-aaaaaa", start=START)
    older.header(tags=["old", "both"])
    newer = Writer(runs_dir, "20261122-110000-bbbbbb", start=START + 9)
    newer.header(tags=["new", "both"])
    older.record("tag", tag="late")
    older.record("untag", tag="old")
    return older, newer


EXPECTED = {"20261122-100000-aaaaaa": {"both", "late"}, "20261122-110000-bbbbbb": {"new", "both"}}


def test_without_a_database(runs_dir, two):
    assert tags_of(runs_dir, journals(runs_dir)) == EXPECTED
    assert not (runs_dir / "jaxpot.duckdb").exists()


def test_what_the_database_has_not_read_is_read_from_the_journal(runs_dir, two):
    Store(runs_dir).runs()
    two[1].record("untag", tag="both")
    two[1].record("tag", tag="now")
    two[1].raw(b'{"kind":"tag","time":1,"tag":"torn"}')
    found = tags_of(runs_dir, journals(runs_dir))
    assert found["20261122-110000-bbbbbb"] == {"new", "now"}


def test_the_database_is_not_read_twice(runs_dir, two):
    """The journal's beginning is not read again: only so does a find stay fast."""
    store = Store(runs_dir)
    store.runs()
    before = two[0].path.read_bytes()
    two[0].path.write_bytes(before.replace(b'"late"', b'"gone"'))
    assert tags_of(runs_dir, journals(runs_dir)) == EXPECTED


def test_a_journal_that_became_shorter_is_read_whole(runs_dir, two):
    Store(runs_dir).runs()
    lines = two[0].path.read_bytes().splitlines(keepends=True)
    two[0].path.write_bytes(lines[0])
    assert tags_of(runs_dir, journals(runs_dir))["20261122-100000-aaaaaa"] == {"old", "both"}


def test_a_held_or_broken_database_does_not_matter(runs_dir, two):
    Store(runs_dir).runs()
    with held(runs_dir / "jaxpot.duckdb"):
        assert tags_of(runs_dir, journals(runs_dir)) == EXPECTED
    (runs_dir / "jaxpot.duckdb").write_bytes(b"garbage" * 1000)
    assert find(runs_dir, "late").uid == "20261122-100000-aaaaaa"


@pytest.mark.parametrize(
    ("word", "every", "uids"),
    [
        ("both", False, ["bbbbbb"]),
        ("both", True, ["bbbbbb", "aaaaaa"]),
        ("ttt", True, ["bbbbbb", "aaaaaa"]),
        ("late", True, ["aaaaaa"]),
        ("latest", True, ["bbbbbb"]),
        ("20261122-10", True, ["aaaaaa"]),
    ],
)
def test_find_all(runs_dir, two, word, every, uids):
    found = find_all(runs_dir, [word], every=every)
    assert [ref.uid[-6:] for ref in found] == uids


def test_find_all_gives_each_run_once_in_the_order_of_the_words(runs_dir, two):
    found = find_all(runs_dir, ["late", "both", "latest", "20261122-100000-aaaaaa"], every=True)
    assert [ref.uid[-6:] for ref in found] == ["aaaaaa", "bbbbbb"]


def test_the_order_of_the_rules(runs_dir, two):
    """A uid before `latest`, that before a name, a name before a tag, a tag before a prefix."""
    for uid, name, tags, start in (
        ("latest", "x", [], START - 9),
        ("20261122-120000-cccccc", "both", [], START - 8),
        ("20261122-130000-dddddd", "y", ["20261122-10", "20261122", "lat", "ttt"], START - 7),
    ):
        Writer(runs_dir, uid, name=name, start=start).header(tags=tags)
    assert find(runs_dir, "latest").name == "x"
    assert find(runs_dir, "both").uid == "20261122-120000-cccccc"
    assert find(runs_dir, "ttt").uid == "20261122-110000-bbbbbb"
    assert find(runs_dir, "lat").uid == "20261122-130000-dddddd"
    assert find(runs_dir, "la").uid == "latest"


def test_what_begins_with_a_date_is_a_uid_before_it_is_a_tag(runs_dir, two, monkeypatch):
    two[1].record("tag", tag="20261122")
    two[1].record("tag", tag="20261122-10")
    assert find(runs_dir, "20261122").uid == "20261122-110000-bbbbbb"
    monkeypatch.setattr("jaxpot.store.runs.tags_of", None)  # it is not asked
    assert find(runs_dir, "20261122-10").uid == "20261122-100000-aaaaaa"
