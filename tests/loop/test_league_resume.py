"""D2 with a league: across adds, moves to the archive, recalls, the target, best, accumulation."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxpot.checkpoints import read_metadata
from jaxpot.loop.phase import Phase
from jaxpot.loop.phases import compile_graph
from jaxpot.loop.run import resume
from tests.loop.leagues import league_events, league_experiment, standings
from tests.loop.running import trace, train

pytestmark = [pytest.mark.slow, pytest.mark.optimised, pytest.mark.usefixtures("shared_programs")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(league_experiment(), tmp_path_factory.mktemp("whole"))


def final_content(result):
    return read_metadata(result.run_dir.parent / result.checkpoint).content_sha256


def same(result, whole):
    assert trace(result) == trace(whole)
    assert standings(result) == standings(whole)
    assert league_events(result) == league_events(whole)
    assert (result.digest, result.iterations) == (whole.digest, whole.iterations)
    assert final_content(result) == final_content(whole)


# 3: an add is due after it; 6: an archive move; 12: a recall and an add; 16: a release; 20: best.
@pytest.mark.parametrize("stops", [(1,), (3,), (4,), (6,), (12,), (16,), (20,), (3, 6, 7, 12, 24)])
def test_stops_change_no_bit_and_double_no_event(whole, tmp_path, stops):
    result = train(league_experiment(), tmp_path, iterations=stops[0])
    for iterations in (*stops[1:], None):
        result = resume(tmp_path, result.uid, iterations=iterations, ingest=False)
    same(result, whole)


def test_a_run_resumed_from_before_an_add_that_it_had_recorded_records_it_once(whole, tmp_path):
    """Killed after the add, resumed from the checkpoint before it."""
    stopped = train(league_experiment(), tmp_path, iterations=14)
    newest = tmp_path / stopped.checkpoint
    assert newest.name == "000014"
    (newest / "metadata.json").write_bytes(b"{}")
    same(resume(tmp_path, stopped.uid, ingest=False), whole)


def test_after_a_non_finite_update_the_league_and_the_target_are_those_before_it(whole, tmp_path):
    at = 15  # behind an add and a best save

    def build(context, phase):
        del context, phase

        def run(values):
            bad = values["iteration"] == at
            table = values["league"]
            target = values["target"]
            poison = jnp.where(bad, jnp.nan, 0.0)
            league = table._replace(score=table.score + poison)
            return {"league": league, "finite": values["finite"] & ~bad, "target": target}, {}

        return run

    cause = Phase(
        name="poison", where="device", program="iteration", implementation=build,
        reads=("league", "target", "finite", "iteration"), writes=("league", "target", "finite"),
    )  # fmt: skip
    experiment = league_experiment()
    stopped = train(experiment, tmp_path, iterations=at - 1)
    graph = compile_graph(experiment).with_phase(cause, after="target_update")
    failed = resume(tmp_path, stopped.uid, graph=graph, ingest=False)
    assert (failed.status, failed.iterations) == ("failed", at)
    assert failed.checkpoint.endswith(f"{at:06d}")
    assert np.isfinite([row["score"] for row in standings(failed)[at - 1]]).all()
    same(resume(tmp_path, failed.uid, ingest=False), whole)
