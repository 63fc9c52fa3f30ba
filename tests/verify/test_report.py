"""The grade that a verification adds to a run."""

import pytest

from jaxpot.store import RunLock, RunLockedError, Store
from jaxpot.verify.compare import Row, compare
from jaxpot.verify.report import (
    ASPECTS,
    NOT_TRIED,
    add_to_grade,
    aspect,
    aspect_in_words,
    read_grade,
)
from tests.store.journals import complete_run

UID = "20261122-101530-aaaaaa"


@pytest.fixture
def folder(tmp_path):
    return complete_run(tmp_path, UID).folder


def found(value=1.0, *, stop=False):
    rows = [Row(0, "a" * 16, {"total_loss": 1.0}), Row(1, "a" * 16, {"total_loss": 1.0})]
    others = [rows[0], Row(1, "b" * 16, {"total_loss": value})] if value != 1.0 else rows
    return aspect(compare(rows, others, stop=stop))


def test_a_run_without_a_grade_has_nothing_tried(folder):
    assert {each["verdict"] for each in read_grade(folder).values()} == {NOT_TRIED}
    assert tuple(read_grade(folder)) == tuple(ASPECTS)


def test_grades_add_up_and_the_newest_of_an_aspect_counts(folder):
    add_to_grade(folder, {"other_process": found(2.0), "resumed": found()}, attempt=1)
    kept = add_to_grade(folder, {"other_process": found()}, attempt=1)
    assert kept == read_grade(folder)
    verdicts = {name: each["verdict"] for name, each in kept.items()}
    assert verdicts == dict.fromkeys(ASPECTS, NOT_TRIED) | {
        "other_process": "identical",
        "resumed": "identical",
    }


def test_a_grade_is_an_event_in_the_store_and_changes_nothing_else(folder):
    store = Store(folder.parent)
    before = store.show(UID)
    add_to_grade(folder, {"resumed": found()}, attempt=1)
    _, rows = store.sql("select payload->>'$.resumed.verdict' from events where kind = 'grade'")
    assert rows == [("identical",)]
    assert store.show(UID) == before


def test_a_run_that_is_written_is_not_graded(folder):
    with RunLock(folder), pytest.raises(RunLockedError, match="is being written by"):
        add_to_grade(folder, {"resumed": found()}, attempt=1)


def test_in_words():
    assert aspect_in_words(found()) == "identical (2 iterations)"
    assert aspect_in_words(found(1.5)) == "within 0.5 (2 iterations)"
    assert aspect_in_words(found(1.5, stop=True)) == "different from iteration 1 on: total_loss"
    assert aspect_in_words({"verdict": NOT_TRIED}) == "not tried"
