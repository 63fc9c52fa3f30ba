"""Choosing a checkpoint: the newest whole one, the best ones, the one a user names."""

import json
import os
import shutil
from collections.abc import Callable
from itertools import permutations
from math import inf, nan
from pathlib import Path

import pytest

from jaxpot.checkpoints import newest_whole, select_checkpoint
from jaxpot.checkpoints.select import (
    BestEntry,
    checkpoint_at,
    is_best,
    ranked,
    read_manifest,
    write_manifest,
)
from jaxpot.errors import UserError
from jaxpot.spec import Best

from .conftest import Run, a_state


def test_the_newest_whole_one(tmp_path: Path, copies: Callable[[str], Path]) -> None:
    assert newest_whole(tmp_path) == (None, [])
    copies("checkpoints/000100")
    found, skipped = newest_whole(tmp_path)
    assert found is not None
    assert (found.iteration, skipped) == (100, [])


def test_damaged_ones_are_skipped_and_named(run: Run) -> None:
    run.save(999_998, 999_999, 1_000_000)
    os.truncate(run.base / "1000000" / "metadata.json", 0)
    (run.base / "999999" / "state" / "_METADATA").unlink()
    found, skipped = newest_whole(run.run_dir)
    assert found is not None
    assert found.iteration == 999_998
    assert skipped == [
        (run.base / "1000000", "metadata.json: is not JSON"),
        (run.base / "999999", "state/_METADATA: is missing"),
    ]
    shutil.rmtree(run.base / "999998" / "state")
    assert newest_whole(run.run_dir)[0] is None


def test_the_newest_up_to_a_limit(run: Run) -> None:
    run.save(1, 2, 3)
    os.truncate(run.base / "000003" / "metadata.json", 0)
    for limit, newest in ((0, None), (1, 1), (2, 2), (9, 2), (None, 2)):
        found, skipped = newest_whole(run.run_dir, limit=limit)
        assert (found.iteration if found else None) == newest
        assert len(skipped) == (limit is None or limit > 2)


def test_another_place_stands_in_for_a_damaged_one(
    tmp_path: Path, copies: Callable[[str], Path]
) -> None:
    (copies("checkpoints/000100") / "state" / "_METADATA").unlink()
    copies("checkpoints/milestones/000100")
    copies("checkpoints/best/000100")
    found, skipped = newest_whole(tmp_path)
    assert found is not None
    assert found.place == "milestones"
    assert [path.parent.name for path, _ in skipped] == ["checkpoints"]


def test_a_renamed_one_does_not_pass_for_another(
    tmp_path: Path, copies: Callable[[str], Path]
) -> None:
    renamed = copies("checkpoints/000200")
    reason = "metadata.json: holds iteration 100, which is not the one in its name"
    assert newest_whole(tmp_path) == (None, [(renamed, reason)])


MAX = Best(metric="win", mode="max", keep=2)
MIN = Best(metric="win", mode="min", keep=2)


def entries(**scores: float) -> list[BestEntry]:
    return [BestEntry(int(name[1:]), score, "win") for name, score in scores.items()]


def order(found: tuple[BestEntry, ...]) -> list[int]:
    return [entry.iteration for entry in found]


def test_ranking_and_ties_to_the_older() -> None:
    given = entries(i1=0.5, i2=0.9, i3=0.9, i4=0.1)
    for shuffled in permutations(given):
        assert order(ranked(shuffled, MAX)) == [2, 3, 1, 4]
        assert order(ranked(shuffled, MIN)) == [4, 1, 2, 3]


def test_one_of_another_metric_comes_last() -> None:
    other = BestEntry(9, 1e9, "lose")
    assert order(ranked([other, *entries(i1=0.5)], MAX)) == [1, 9]


@pytest.mark.parametrize("policy", [MAX, MIN])
def test_nan_is_never_best(policy: Best) -> None:
    assert not is_best(BestEntry(5, nan, "win"), [], policy)


def test_infinities_rank_as_they_compare() -> None:
    """Elo is infinite for an agent that wins every game."""
    held = entries(i1=0.5, i2=0.9)
    assert is_best(BestEntry(3, inf, "win"), held, MAX)
    assert not is_best(BestEntry(3, inf, "win"), held, MIN)
    assert is_best(BestEntry(3, -inf, "win"), held, MIN)
    assert order(ranked([*held, BestEntry(3, inf, "win"), BestEntry(4, -inf, "win")], MAX)) == [
        3, 2, 1, 4,
    ]  # fmt: skip


def test_a_manifest_keeps_infinities(tmp_path: Path) -> None:
    given = {3: BestEntry(3, inf, "win"), 4: BestEntry(4, -inf, "win")}
    write_manifest(tmp_path, given.values(), MAX)
    assert read_manifest(tmp_path) == (MAX, given)


def test_is_best() -> None:
    held = entries(i1=0.5, i2=0.9)
    assert is_best(BestEntry(3, 0.6, "win"), held, MAX)
    assert not is_best(BestEntry(3, 0.5, "win"), held, MAX)
    assert is_best(BestEntry(3, 0.5, "win"), held, MIN)
    assert is_best(BestEntry(3, 0.0, "win"), held[:1], MAX)
    assert is_best(BestEntry(1, 0.4, "win"), held[:1], Best(metric="win", keep=1))


def test_the_manifest(tmp_path: Path) -> None:
    held = ranked(entries(i1=0.5, i2=0.9), MAX)
    write_manifest(tmp_path, held, MAX)
    assert json.loads((tmp_path / "manifest.json").read_bytes()) == {
        "format_version": 1,
        "best": {"metric": "win", "mode": "max", "keep": 2},
        "checkpoints": [
            {"iteration": 2, "score": 0.9, "metric": "win"},
            {"iteration": 1, "score": 0.5, "metric": "win"},
        ],
    }
    assert read_manifest(tmp_path) == (MAX, {entry.iteration: entry for entry in held})
    before = (tmp_path / "manifest.json").stat().st_mtime_ns
    write_manifest(tmp_path, held, MAX)
    assert (tmp_path / "manifest.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"checkpoints": 3}', '{"checkpoints": [{}]}', "\0", "[" * 10_000,
     '{"checkpoints": [{"iteration": 1, "score": NaN, "metric": "win"}]}'],
)  # fmt: skip
def test_a_damaged_manifest_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    assert read_manifest(tmp_path) == (None, {})


def test_no_manifest(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) == (None, {})


SCORES = {100: 0.5, 200: 0.75, 300: 0.25}


@pytest.fixture
def saved(run: Run) -> Run:
    """A run with three periodic, one milestone and two best checkpoints."""
    writer = run.writer(best=Best(metric="win", keep=2))
    for iteration, score in SCORES.items():
        types = {"periodic", "best"} | ({"milestone"} if iteration == 200 else set())
        writer.save(
            a_state(iteration),
            iteration=iteration,
            types=frozenset(types),
            metadata={},
            score=score,
        )
    writer.wait()
    writer.close()
    return run


def picked(run: Run, selector: str) -> str:
    info = select_checkpoint(run.run_dir, selector)
    assert int(info.path.name) == info.iteration
    return info.path.relative_to(run.base).as_posix()


def refused(run: Run, selector: str) -> str:
    with pytest.raises(UserError) as caught:
        select_checkpoint(run.run_dir, selector)
    return str(caught.value)


@pytest.mark.parametrize(
    ("selector", "path"),
    [
        ("latest", "000300"),
        ("best", "best/000200"),
        ("milestone:200", "milestones/000200"),
        ("milestone:000200", "milestones/000200"),
        ("100", "000100"),
        ("000200", "000200"),
        ("0300", "000300"),
    ],
)
def test_each_selector(saved: Run, selector: str, path: str) -> None:
    assert picked(saved, selector) == path


def test_a_missing_one_is_an_error_that_lists_those_there_are(saved: Run) -> None:
    there = "there are periodic 100, 200, 300, milestone 200, best 100, 200"
    name = saved.run_dir.name
    assert refused(saved, "400") == f"run {name} has no checkpoint '400'; {there}"
    assert refused(saved, "milestone:100") == (
        f"run {name} has no checkpoint 'milestone:100'; {there}"
    )


@pytest.mark.parametrize(
    "selector", ["", "newest", "milestone", "milestone:", "milestone:x", "-1", "1.5", "best:1", "²"]
)
def test_a_wrong_selector_is_an_error_that_lists_the_right_ones(saved: Run, selector: str) -> None:
    assert refused(saved, selector).startswith(
        f"{selector!r} is not a checkpoint's name: write latest, best, milestone:N or a number of "
        "iterations; there are periodic 100"
    )


@pytest.mark.parametrize("selector", ["latest", "best", "milestone:1", "1"])
def test_a_run_without_any(run: Run, selector: str) -> None:
    assert refused(run, selector) == (
        f"run {run.run_dir.name} has no checkpoint {selector!r}; {run.run_dir.name} has none at all"
    )


def test_a_long_list_is_cut(run: Run) -> None:
    for iteration in range(1, 31):
        (run.base / "milestones" / f"{iteration:06d}").mkdir(parents=True)
    assert refused(run, "best").endswith("milestone 23, 24, 25, 26, 27, 28, 29, 30 (22 older)")


def test_latest_passes_over_a_damaged_one(saved: Run) -> None:
    os.truncate(saved.base / "000300" / "metadata.json", 0)
    assert picked(saved, "latest") == "000200"


def test_latest_says_why_none_will_do(run: Run) -> None:
    run.save(1)
    os.truncate(run.base / "000001" / "metadata.json", 0)
    assert refused(run, "latest").splitlines() == [
        f"run {run.run_dir.name} has no checkpoint 'latest'; there are periodic 1",
        f"  {run.base / '000001'} is damaged: metadata.json: is not JSON",
    ]


def test_a_number_prefers_a_whole_copy(saved: Run) -> None:
    (saved.base / "000200" / "state" / "_METADATA").unlink()
    assert picked(saved, "200") == "milestones/000200"
    assert picked(saved, "milestone:200") == "milestones/000200"


@pytest.mark.parametrize(("mode", "best"), [("max", 200), ("min", 300)])
def test_best_is_ranked_by_the_mode(run: Run, mode: str, best: int) -> None:
    writer = run.writer(best=Best(metric="win", mode=mode, keep=3))  # type: ignore[arg-type]
    for iteration, score in SCORES.items():
        writer.save(
            a_state(iteration),
            iteration=iteration,
            types=frozenset({"best"}),
            metadata={},
            score=score,
        )
    writer.wait()
    writer.close()
    assert picked(run, "best") == f"best/{best:06d}"


def test_best_of_one_that_the_manifest_does_not_list_yet(saved: Run) -> None:
    manifest = saved.base / "best" / "manifest.json"
    kept = manifest.read_text()
    manifest.write_text(kept.replace('"iteration": 200', '"iteration": 900'))
    assert picked(saved, "best") == "best/000200"


def test_best_without_a_manifest(saved: Run) -> None:
    (saved.base / "best" / "manifest.json").write_text("{}")
    assert "manifest.json: cannot be read, so it is unknown whether" in refused(saved, "best")
    shutil.rmtree(saved.base / "best" / "000200")
    assert picked(saved, "best") == "best/000100"


def test_one_that_a_killed_writer_moved_aside(saved: Run) -> None:
    path = saved.base / "000300"
    moved = path.rename(path.with_name(".old-000300-0123abcd"))
    assert select_checkpoint(saved.run_dir, "300").path == moved


def test_paths_are_relative_to_nothing(saved: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved.runs_dir)
    info = select_checkpoint(Path(saved.run_dir.name), "latest")
    assert info.path == Path(saved.run_dir.name) / "checkpoints" / "000300"


def test_a_path_as_it_stands_or_in_the_runs_directory(
    saved: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved.base / "000300"
    printed = path.relative_to(saved.runs_dir).as_posix()
    assert checkpoint_at(str(path), saved.runs_dir / "elsewhere") == path
    assert checkpoint_at(printed, saved.runs_dir) == path
    assert checkpoint_at("000300", saved.runs_dir) is None
    monkeypatch.chdir(saved.base)
    assert checkpoint_at("000300", saved.runs_dir) == Path("000300")
    assert checkpoint_at("best", saved.runs_dir) is None
