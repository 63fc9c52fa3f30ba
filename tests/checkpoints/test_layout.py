from pathlib import Path

import pytest

from jaxpot.checkpoints import layout, list_checkpoints
from jaxpot.checkpoints.layout import checkpoint_path


def test_iterations_compare_as_numbers(tmp_path: Path) -> None:
    for iteration in (1_000_000, 200, 999_999, 3):
        checkpoint_path(tmp_path, "checkpoints", iteration).mkdir(parents=True)
    found = list_checkpoints(tmp_path)
    assert [info.iteration for info in found] == [3, 200, 999_999, 1_000_000]
    assert found[0].path == tmp_path / "checkpoints" / "000003"
    assert found[-1].path == tmp_path / "checkpoints" / "1000000"


def test_the_three_places(tmp_path: Path) -> None:
    for place in ("best", "checkpoints", "milestones"):
        checkpoint_path(tmp_path, place, 100).mkdir(parents=True)
    assert [info.place for info in list_checkpoints(tmp_path)] == [
        "checkpoints",
        "milestones",
        "best",
    ]
    assert list_checkpoints(tmp_path)[2].path == tmp_path / "checkpoints" / "best" / "000100"


def test_other_names_are_no_checkpoints(tmp_path: Path) -> None:
    names = ["100", "0000100", "00010a", "-00100", "+00100", "00010 ", "\u0660" * 6, ".000100",
             ".tmp-000100-0123abcd", ".del-000100-0123abcd", "9" * 19, "best"]  # fmt: skip
    for name in names:
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    assert list_checkpoints(tmp_path) == []


def test_one_that_was_moved_aside_for_nothing_is_listed(tmp_path: Path) -> None:
    old = tmp_path / "checkpoints" / ".old-000100-0123abcd"
    old.mkdir(parents=True)
    assert [(i.iteration, i.path) for i in list_checkpoints(tmp_path)] == [(100, old)]
    (tmp_path / "checkpoints" / "000100").mkdir()
    assert [i.path.name for i in list_checkpoints(tmp_path)] == ["000100"]


def test_a_run_without_checkpoints(tmp_path: Path) -> None:
    assert list_checkpoints(tmp_path) == []


def test_a_place_is_made_in_a_run_and_no_run_is_made_again(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(FileNotFoundError):
        layout.ensure_place(layout.place_dir(run, "milestones"))
    assert not run.exists()
    run.mkdir()
    for place in layout.PLACES:
        layout.ensure_place(layout.place_dir(run, place))
        layout.ensure_place(layout.place_dir(run, place))
        assert layout.place_dir(run, place).is_dir()
