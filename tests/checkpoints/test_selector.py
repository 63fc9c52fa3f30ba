import os
import shutil
from pathlib import Path

import pytest

from jaxpot.checkpoints import select_checkpoint
from jaxpot.checkpoints.selector import checkpoint_at
from jaxpot.errors import UserError
from jaxpot.spec import Best

from .conftest import Run, a_state

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


def test_what_is_not_there_is_told_with_what_is(saved: Run) -> None:
    there = "there are periodic 100, 200, 300, milestone 200, best 100, 200"
    name = saved.run_dir.name
    assert refused(saved, "400") == f"run {name} has no checkpoint '400'; {there}"
    assert refused(saved, "milestone:100") == (
        f"run {name} has no checkpoint 'milestone:100'; {there}"
    )


@pytest.mark.parametrize(
    "selector", ["", "newest", "milestone", "milestone:", "milestone:x", "-1", "1.5", "best:1", "²"]
)
def test_what_is_no_selector_is_told_what_is(saved: Run, selector: str) -> None:
    assert refused(saved, selector).startswith(
        f"{selector!r} names no checkpoint: allowed are latest, best, milestone:N and a number of "
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
    assert "manifest.json: cannot be read, so nothing says whether" in refused(saved, "best")
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
