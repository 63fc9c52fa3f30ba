from itertools import permutations
from math import inf, nan
from pathlib import Path

import pytest

from jaxpot.checkpoints.best import (
    BestEntry,
    encode_manifest,
    is_best,
    ranked,
    read_manifest,
    write_manifest,
)
from jaxpot.spec import Best

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
    assert read_manifest(tmp_path) == given


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
    assert (tmp_path / "manifest.json").read_bytes() == encode_manifest(held, MAX)
    assert read_manifest(tmp_path) == {entry.iteration: entry for entry in held}
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
    assert read_manifest(tmp_path) == {}


def test_no_manifest(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) == {}
