"""What differs between two runs, and how suspicious it is."""

from typing import Any

import pytest

from jaxpot.spec import diff, resolved, training_digest
from jaxpot.testing.tiny import merged, tiny_experiment
from jaxpot.verify.suspects import BY_DESIGN, HARMLESS, Origin, suspects
from tests.loop.leagues import LEAGUE

ATTEMPT = {"versions": {"jax": "1"}, "isa": "AVX2", "git_commit": "a", "git_dirty": False}


def origin(spec: Any = None, header: Any = None, **attempt: Any) -> Origin:
    return Origin(spec=spec or {}, header=header or {}, attempt=ATTEMPT | attempt)


def whats(a: Origin, b: Origin) -> list[str]:
    return [each.what for each in suspects(a, b)]


def test_equal_origins_leave_no_suspect():
    assert suspects(origin(), origin()) == ()


def test_code_that_is_not_committed_is_always_suspicious():
    assert whats(origin(git_dirty=True), origin(git_dirty=True)) == ["git_dirty"]
    unknown = origin(git_commit=None, git_dirty=None)
    assert whats(unknown, unknown) == ["git_dirty"]
    assert whats(origin(), origin(git_commit="b")) == ["git_commit"]


def test_the_network_that_it_started_with_comes_early():
    b = origin(header={"parent": "x/checkpoints/000001", "parent_sha256": "1"}, isa="AVX512")
    assert whats(origin(), b) == ["init_from", "isa"]


@pytest.mark.parametrize(
    "overrides",
    [
        {"optimizer": {"learning_rate": 0.5}},
        {"collect": {"selfplay": {"num_envs": 16}}},
        {"league": {"add_every": 2}},
        {"league": {"log_every": 2}},
        {"target": {"tau": 0.5}},
        {"eval": {"old": {"every": 2}}},
        {"eval": {"other": {"kind": "random", "every": 2, "num_games": 2}}},
        {"runtime": {"profile_every": 2}},
        {"runtime": {"deterministic": False}},
        {"checkpoint": {"every": 2}},
        {"tags": ["x"]},
    ],
)
def test_what_trains_something_else_is_what_the_training_digest_covers(overrides):
    a = tiny_experiment(overrides=LEAGUE)
    b = tiny_experiment(overrides=merged(LEAGUE, overrides))
    found = suspects(origin(resolved(a)), origin(resolved(b)))
    assert {each.what for each in found} == {path for path, _, _ in diff(resolved(a), resolved(b))}
    expected = HARMLESS if training_digest(a) == training_digest(b) else BY_DESIGN
    assert {each.reason for each in found} == {expected}
