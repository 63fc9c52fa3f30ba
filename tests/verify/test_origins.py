"""What two runs depend on, and which difference is how suspicious."""

from typing import Any

import pytest

from jaxpot.spec import diff, resolved, training_digest
from jaxpot.verify.origins import (
    BY_DESIGN,
    HARMLESS,
    Origin,
    attempts_between,
    differing,
    moved_within,
    settings_for_bits,
    settings_of,
    suspects,
)
from tests.loop.leagues import LEAGUE
from tests.store.journals import Writer
from tests.tiny import merged, tiny_experiment


def starts(run, start, stop):
    return [attempt["attempt"] for attempt in attempts_between(run.path, start, stop)]


def test_attempts_are_those_whose_rows_count(tmp_path):
    run = Writer(tmp_path, "20261122-111530-bbbbbb")
    run.header()
    for start in (0, 10, 4, 8):
        run.start(start)
    assert starts(run, 0, 20) == [1, 3, 4]
    assert starts(run, 0, 4) == [1]
    assert starts(run, 5, 8) == [3]
    assert starts(run, 8, 9) == [4]


def test_what_differs_is_named():
    then = {"isa": "AVX512", "os": "Linux", "versions": {"jax": "1", "optax": "2"}, "nproc": 2}
    now = {"isa": "AVX2", "os": "Linux", "versions": {"jax": "1", "pgx": "3"}, "nproc": 4}
    assert differing(then, now) == [
        "isa: AVX512 then, AVX2 now",
        "optax: 2 then, absent now",
        "pgx: absent then, 3 now",
    ]
    assert differing(then, {}) == ["jax: 1 then, absent now", "optax: 2 then, absent now"]


def test_a_run_that_moved_is_not_one_re_runs_work():
    attempts = [{"attempt": n, "nproc": n, "xla_flags": "", "versions": {}} for n in (1, 2)]
    assert moved_within(attempts) == ["between attempts 1 and 2, nproc: 1 then, 2 now"]
    assert moved_within(attempts[:1]) == []


def test_a_child_starts_as_the_attempt_did(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--mine")
    monkeypatch.setenv("NPROC", "9")
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    environ = settings_of({"nproc": 3, "xla_flags": "--theirs", "platform": "cpu"}).environ()
    assert [environ[name] for name in ("NPROC", "XLA_FLAGS", "JAX_PLATFORMS")] == [
        "3",
        "--theirs",
        "cpu",
    ]


def test_recorded_settings_are_taken_up(monkeypatch):
    cpuinfo = "flags : sse4_2 avx avx2 fma avx512f avx512vl avx512bw avx512dq avx512cd\n"
    monkeypatch.setattr("jaxpot.loop.environment._read_cpuinfo", lambda: cpuinfo)
    attempt = {"nproc": 3, "xla_flags": "--a=b", "platform": "cpu", "isa": "AVX512"}
    assert settings_for_bits(attempt).xla_flags == "--a=b"
    narrower = settings_for_bits(attempt | {"isa": "AVX2"})
    assert narrower.xla_flags == "--a=b --xla_cpu_max_isa=AVX2"
    assert (narrower.nproc, narrower.platform) == (3, "cpu")
    assert settings_for_bits(attempt | {"isa": "AMX"}).xla_flags == "--a=b"


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
