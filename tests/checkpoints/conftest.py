"""A small state, a run directory, and a checkpoint to damage."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import ml_dtypes
import numpy as np
import pytest

from jaxpot.checkpoints import CheckpointWriter
from jaxpot.spec import Best, Checkpoint

PERIODIC = frozenset({"periodic"})


def a_state(seed: int = 0) -> dict[str, Any]:
    """Makes a state with every kind of leaf; all but one are cheap to compare."""
    rng = np.random.default_rng(seed)
    return {
        "params": {"dense": {"kernel": rng.standard_normal((5, 7)).astype(np.float32)}},
        "opt_state": (np.int32(seed), [rng.standard_normal(3).astype(ml_dtypes.bfloat16)]),
        "key": np.array([7, seed], np.uint32),
        "done": np.array([True, False]),
        "empty": np.zeros((0, 3), np.float32),
    }


def with_league(seed: int = 0) -> dict[str, Any]:
    """Makes a state that has a league, too."""
    rng = np.random.default_rng(seed + 1)
    pool = {"params": {"w": rng.standard_normal((3, 4)).astype(np.float32)}, "model_state": {}}
    league = {"score": np.float32([-0.05, 0.5, 0]), "place": np.int32([1, 2, 0])}
    return a_state(seed) | {"pool": pool, "league": league}


LISTING = [
    {"slot": 0, "name": "iter_000100", "place": "league", "score": -0.05, "active": True},
    {"slot": 1, "name": "iter_000050", "place": "archive", "score": 0.5, "active": False},
]


@attrs.define
class Run:
    """A run's directories, and the records of its writers."""

    runs_dir: Path
    run_dir: Path
    records: list[dict[str, Any]]

    @property
    def base(self) -> Path:
        return self.run_dir / "checkpoints"

    def writer(self, *, best: Best | None = None, keep_last: int = 5) -> CheckpointWriter:
        policy = Checkpoint(every=1, keep_last=keep_last, best=best)
        return CheckpointWriter(self.run_dir, self.runs_dir, policy, self.records.append)

    def save(self, *iterations: int, keep_last: int = 5) -> None:
        writer = self.writer(keep_last=keep_last)
        for iteration in iterations:
            writer.save(a_state(iteration), iteration=iteration, types=PERIODIC, metadata={})
        writer.wait()
        writer.close()

    def save_league(self, iteration: int) -> Path:
        writer = self.writer()
        state = with_league(iteration)
        writer.save(state, iteration=iteration, types=PERIODIC, metadata={}, league=LISTING)
        writer.wait()
        writer.close()
        return self.base / f"{iteration:06d}"

    def names(self, place: str = ".") -> list[str]:
        return sorted(path.name for path in (self.base / place).iterdir())

    def stages(self) -> list[tuple[str, str, int]]:
        return [(r["state"], r["type"], r["iteration"]) for r in self.records]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run_dir = tmp_path / "runs" / "20261122-101530-ab12cd"
    run_dir.mkdir(parents=True)
    return Run(run_dir.parent, run_dir, [])


@pytest.fixture(scope="session")
def saved_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("runs") / "run"
    run_dir.mkdir()
    Run(run_dir.parent, run_dir, []).save(100)
    return run_dir / "checkpoints" / "000100"


@pytest.fixture(scope="session")
def league_saved_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("runs") / "run"
    run_dir.mkdir()
    return Run(run_dir.parent, run_dir, []).save_league(100)


@pytest.fixture
def whole_league(league_saved_once: Path, tmp_path: Path) -> Path:
    """A whole checkpoint of iteration 100 with a league that a test may damage."""
    return Path(shutil.copytree(league_saved_once, tmp_path / "checkpoints" / "000100"))


@pytest.fixture
def whole(saved_once: Path, tmp_path: Path) -> Path:
    """A whole checkpoint of iteration 100 that a test may damage."""
    return Path(shutil.copytree(saved_once, tmp_path / "checkpoints" / "000100"))


@pytest.fixture
def copies(saved_once: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Makes any number of whole checkpoints."""
    return lambda name: Path(shutil.copytree(saved_once, tmp_path / name))
