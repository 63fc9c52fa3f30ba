from jaxpot.verify.settings import attempts_between, differing, moved_within, settings_of
from tests.store.journals import Writer


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
