"""Runs under several seeds: the bits of each alone, judged together, stopped together."""

import os
import signal
from contextlib import contextmanager

import attrs
import pytest

from jaxpot.errors import UserError
from jaxpot.loop import seeds as module
from jaxpot.loop.observer import Observers
from jaxpot.loop.seeds import run_seeds
from jaxpot.signals import StopRequest
from jaxpot.store import Store
from jaxpot.store.gates import judge_recorded
from tests.loop.running import events, trace, train
from tests.tiny import tiny_experiment

pytestmark = [pytest.mark.optimised, pytest.mark.slow]

WIDE = {"metric": "total_loss", "seeds": 3, "min": -1e9, "max": 1e9}
TINY = {"iterations": 4, "eval": {}, "checkpoint": {"every": None}}


def experiment(*gates, **changes):
    return tiny_experiment(expect=list(gates), **{**TINY, **changes})


@pytest.fixture(autouse=True)
def kept_programs(monkeypatch, shared_programs):
    """Lets the tests keep the programs that they share."""
    monkeypatch.setattr(module, "_release", lambda: None)


def judged_again(runs_dir, uid):
    with Store(runs_dir).reading() as connection:
        return judge_recorded(connection, uid)


def test_each_seed_is_the_run_that_it_is_alone(tmp_path):
    own = {"metric": "total_loss", "max": 1e9}
    result = run_seeds(experiment(WIDE, own), seeds=3, runs_dir=tmp_path, ingest=False)
    assert (result.status, result.exit_code) == ("completed", 0)
    assert result.seeds == tuple(result.runs) == (42, 43, 44)
    alone = train(experiment(WIDE, own, seed=43), tmp_path / "alone")
    assert trace(result.runs[43]) == trace(alone)
    assert len({run.digest for run in result.runs.values()}) == 3
    # The gate over seeds is judged over all of them only.
    for run in result.runs.values():
        assert [gate["passed"] for gate in run.expect] == [None, True]
        assert run.reason.endswith("; a gate waits for runs of other seeds")
        assert events(run, "seeds") == [{"first": 42, "count": 3}]
        assert events(run, "expect")[-1] == result.expect[0]
        assert judged_again(tmp_path, run.uid)[0]["passed"] is True
    (gate,) = result.expect
    losses = [run.metrics["total_loss"] for run in result.runs.values()]
    assert [row["value"] for row in gate["runs"]] == losses
    assert gate["value"] == pytest.approx(sum(losses) / 3, rel=1e-15)
    spread = result.metrics["total_loss"]
    assert spread.mean == pytest.approx(gate["value"], rel=1e-12)
    assert spread.standard_error == pytest.approx(gate["standard_error"], rel=1e-6)
    assert (spread.min, spread.max) == (min(losses), max(losses))
    shown = Store(tmp_path).sql("SELECT seed, judged, passed FROM gates WHERE seeds = 3 ORDER BY 1")
    assert shown[1] == [(seed, True, True) for seed in result.seeds]
    assert {row.status for row in Store(tmp_path).runs()} == {"completed"}


def test_a_missed_statistic_is_the_status_of_all(tmp_path):
    strict = {**WIDE, "statistic": "median", "max": -1e9}
    result = run_seeds(experiment(strict), seeds=3, runs_dir=tmp_path, ingest=False)
    assert (result.status, result.exit_code) == ("gate_missed", 1)
    assert {run.status for run in result.runs.values()} == {"completed"}
    assert result.reason == "all 3 runs are complete and a gate was missed"


def test_too_few_seeds_and_too_few_iterations_are_not_judged(tmp_path):
    few = run_seeds(experiment(WIDE), seeds=2, runs_dir=tmp_path, ingest=False)
    assert (few.status, few.exit_code) == ("completed", 0)
    assert few.reason == "all 2 runs are complete; a gate waits for runs of other seeds"
    assert few.expect[0]["judged"] is False
    short = run_seeds(experiment(WIDE), seeds=3, runs_dir=tmp_path, iterations=2, ingest=False)
    assert (short.status, short.exit_code) == ("stopped", 0)
    assert short.reason == "stopped as asked after 2 iterations of each"
    assert short.expect[0]["judged"] is False
    assert short.metrics["total_loss"].standard_error is not None
    # The seed that was missing makes the others' gate judged, by the command.
    more = train(experiment(WIDE, seed=44), tmp_path)
    (gate,) = judged_again(tmp_path, more.uid)
    assert (gate["judged"], [row["seed"] for row in gate["runs"]]) == (True, [42, 43, 44])


class Stopping(Observers):
    """Sends this process a signal in the run under a seed."""

    def __init__(self, seed, *, at_end):
        super().__init__()
        self.seed = seed
        self.at_end = at_end

    @contextmanager
    def watch(self, seed):
        yield self if seed == self.seed else Observers()

    def started(self, info):
        if not self.at_end:
            os.kill(os.getpid(), signal.SIGINT)

    def finished(self, result):
        if self.at_end:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("at_end", [False, True])
def test_a_signal_stops_them_all(tmp_path, at_end):
    watch = Stopping(43, at_end=at_end).watch
    result = run_seeds(experiment(WIDE), seeds=4, runs_dir=tmp_path, watch=watch, ingest=False)
    assert (result.status, result.exit_code) == ("interrupted", 130)
    assert result.reason == "SIGINT was received; seeds 44 to 45 did not run"
    statuses = [run.status for run in result.runs.values()]
    assert statuses == ["completed", "completed" if at_end else "interrupted"]
    assert result.expect[0]["judged"] is False


def test_of_two_stop_requests_the_outer_one_hears_it_too():
    with StopRequest() as outer:
        with StopRequest() as inner:
            os.kill(os.getpid(), signal.SIGTERM)
            assert (inner.signal, outer.signal) == (signal.SIGTERM, None)
        assert outer.exit_code == 143


def test_a_run_that_fails_fails_all_and_stops_none(tmp_path, monkeypatch):
    run = module.runner.run

    def failing(what, **options):
        result = run(what, **options)
        return attrs.evolve(result, status="failed") if what.seed == 42 else result

    monkeypatch.setattr(module.runner, "run", failing)
    result = run_seeds(experiment(WIDE), seeds=3, runs_dir=tmp_path, ingest=False)
    assert (result.status, result.exit_code) == ("failed", 1)
    assert result.reason == "of 3 runs 1 failed: seed 42"
    assert len(result.runs) == 3
    assert result.expect[0]["judged"] is True


def test_names_mean_for_every_seed_what_they_meant_at_first(tmp_path):
    first = train(experiment(seed=1), tmp_path)
    rival = {"kind": "checkpoint", "run": "latest", "checkpoint": "latest", "every": 4}
    against = experiment(eval={"rival": {**rival, "num_games": 4}})
    result = run_seeds(against, seeds=2, runs_dir=tmp_path, init_from="tiny", ingest=False)
    for run in result.runs.values():
        (opponent,) = events(run, "opponent")
        assert opponent["checkpoint"].startswith(first.uid)
        (parent,) = events(run, "init_from")
        assert parent["checkpoint"].startswith(first.uid)


def test_what_cannot_be_recorded_is_told(tmp_path, monkeypatch):
    def refuse(folder):
        raise UserError(f"{folder.name} is being written")

    monkeypatch.setattr(module, "RunLock", refuse)
    result = run_seeds(experiment(WIDE), seeds=1, runs_dir=tmp_path, ingest=False)
    (warning,) = result.warnings
    assert "its event `seeds` is not recorded" in warning
    assert result.status == "completed"


def test_there_are_no_seeds_beyond_the_last(tmp_path):
    with pytest.raises(UserError, match="--seeds 3: from seed 4294967294 on"):
        run_seeds(experiment(seed=2**32 - 2), seeds=3, runs_dir=tmp_path, ingest=False)
    assert list(tmp_path.iterdir()) == []
