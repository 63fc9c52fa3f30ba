"""D2: resumed runs, in this process, equal the run that was never stopped."""

import json
import shutil

import jax.numpy as jnp
import pytest

from jaxpot.errors import UserError
from jaxpot.loop.phases import training
from jaxpot.loop.run import resume
from jaxpot.spec import SpecError
from jaxpot.store.runs import RunLock
from tests.journal.reading import records
from tests.loop.running import journal, rows, trace, train
from tests.marks import slow_except
from tests.tiny import tiny_experiment

pytestmark = pytest.mark.usefixtures("shared_programs")


def stopped_and_resumed(experiment, runs_dir, *stops):
    result = train(experiment, runs_dir, iterations=stops[0])
    for iterations in (*stops[1:], None):
        result = resume(runs_dir, result.uid, iterations=iterations, ingest=False)
    return result


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return train(tiny_experiment(), tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("stop", slow_except(range(1, 8), 3, 4))
def test_a_stop_after_any_iteration_changes_no_bit(plain, tmp_path, stop):
    result = stopped_and_resumed(tiny_experiment(), tmp_path, stop)
    assert trace(result) == trace(plain)
    assert (result.digest, result.attempt, result.status) == (plain.digest, 2, "completed")
    counted = {k: v for k, v in result.metrics.items() if k.startswith(("num_", "iter"))}
    assert counted.items() - {("iteration/sps", counted["iteration/sps"])} <= plain.metrics.items()


def test_many_stops_change_no_bit(plain, tmp_path):
    result = stopped_and_resumed(tiny_experiment(), tmp_path, 1, 2, 4, 5, 7)
    assert result.attempt == 6
    assert trace(result) == trace(plain)


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param(
            {"optimizer": {"accumulate_steps": 3}, "algorithm": {"shuffle": "epoch"}},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"optimizer": {"kind": "sgd", "momentum": 0.9, "max_grad_norm": None}},
            marks=pytest.mark.slow,
        ),
        pytest.param({"runtime": {"profile_every": 2}}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_whatever_the_state_holds_is_restored(tmp_path, overrides):
    one_regime = {"collect": {"random": None}}  # each costs a compile
    experiment = tiny_experiment(overrides=overrides | one_regime)
    whole = train(experiment, tmp_path)
    assert trace(stopped_and_resumed(experiment, tmp_path, 3)) == trace(whole)


def test_a_damaged_newest_checkpoint_is_named_and_passed_over(plain, tmp_path):
    stopped = train(tiny_experiment(), tmp_path, iterations=6)
    newest = tmp_path / stopped.checkpoint
    assert newest.name == "000006"
    (newest / "metadata.json").write_bytes(b"{}")
    result = resume(tmp_path, stopped.uid, ingest=False)
    warnings = [e["payload"]["text"] for e in records(journal(result), kinds=("event",))
                if e["name"] == "warning"]  # fmt: skip
    assert any("000006" in text and "metadata.json" in text for text in warnings)
    starts = [r["start_iter"] for r in records(journal(result), kinds=("attempt",))]
    assert starts == [0, 4]
    assert trace(result) == trace(plain)


def test_without_a_whole_checkpoint_it_starts_again(plain, tmp_path):
    stopped = train(tiny_experiment(), tmp_path, iterations=6)
    shutil.rmtree(stopped.run_dir / "checkpoints")
    result = resume(tmp_path, stopped.uid, ingest=False)
    assert (result.attempt, trace(result)) == (2, trace(plain))


@pytest.mark.parametrize("left", ["milestones", "best"])
def test_milestones_and_best_ones_resume_as_well(plain, tmp_path, left):
    best = {"metric": "total_loss", "mode": "min", "keep": 9, "every": 2}
    experiment = tiny_experiment(
        overrides={"checkpoint": {"milestone_every": 3, "best": best}},
    )
    stopped = train(experiment, tmp_path, iterations=7)
    for path in (stopped.run_dir / "checkpoints").iterdir():
        if path.name != left:
            shutil.rmtree(path)
    result = resume(tmp_path, stopped.uid, ingest=False)
    start = [r["start_iter"] for r in records(journal(result), kinds=("attempt",))][1]
    assert start == 6
    assert trace(result) == trace(plain)


def test_a_state_that_no_longer_fits_is_refused(tmp_path, monkeypatch):
    stopped = train(tiny_experiment(), tmp_path, iterations=3)
    made = training.init_params

    def grown(context, values, root_key):
        return {**made(context, values, root_key), "more": jnp.zeros(2)}

    monkeypatch.setattr(training, "init_params", grown)
    with pytest.raises(UserError, match=r"(?s)params/more.*code of a part has changed"):
        resume(tmp_path, stopped.uid, ingest=False)


def test_superseded_rows_are_not_doubled(plain, tmp_path):
    stopped = train(tiny_experiment(), tmp_path, iterations=7)
    shutil.rmtree(tmp_path / stopped.checkpoint)
    result = resume(tmp_path, "latest", ingest=False)
    assert [row["iter"] for row in rows(result)] == list(range(8))
    written = [r["iter"] for r in records(journal(result), kinds=("payload",))]
    assert written == [0, 1, 2, 3, 4, 5, 6, 4, 5, 6, 7]
    assert trace(result) == trace(plain)


def test_a_finished_run_gives_its_result_again(plain):
    again = resume(plain.run_dir.parent, plain.uid, ingest=False)
    assert (again.status, again.digest, again.attempt) == ("completed", plain.digest, 1)
    assert repr(again.metrics) == repr(plain.metrics)
    assert again.checkpoint == plain.checkpoint


def test_more_iterations_are_a_change_of_the_spec(tmp_path):
    short = train(tiny_experiment(), tmp_path)
    longer = resume(tmp_path, short.uid, iterations=10, ingest=False)
    assert (longer.iterations, longer.status) == (10, "completed")
    (_, second) = records(journal(longer), kinds=("attempt",))
    assert second["spec"]["iterations"] == 10
    whole = train(tiny_experiment(iterations=10), tmp_path)
    assert [d for _, d, _ in trace(longer)] == [d for _, d, _ in trace(whole)]


def test_more_iterations_that_break_a_rule_of_the_spec_are_refused(tmp_path):
    gated = tiny_experiment(expect=[{"metric": "eval_vs_random/win_rate", "min": 0.0}])
    run = train(gated, tmp_path)
    with pytest.raises(SpecError, match="the last iteration, 8, has no eval_vs_random/win_rate"):
        resume(tmp_path, run.uid, iterations=9, ingest=False)
    assert resume(tmp_path, run.uid, iterations=12, ingest=False).status == "completed"


def test_fewer_iterations_than_done_are_refused(tmp_path):
    short = train(tiny_experiment(), tmp_path, iterations=5)
    with pytest.raises(UserError, match="has done 5 iterations, more than the 3 asked for"):
        resume(tmp_path, short.uid, iterations=3, ingest=False)


def test_fewer_iterations_than_its_checkpoint_has_are_refused_for_a_killed_run(tmp_path):
    stopped = train(tiny_experiment(), tmp_path, iterations=5)
    lines = journal(stopped).read_text().splitlines(keepends=True)
    journal(stopped).write_text("".join(line for line in lines if '"kind":"end"' not in line))
    with pytest.raises(UserError, match="has done 5 iterations, more than the 3 asked for"):
        resume(tmp_path, stopped.uid, iterations=3, ingest=False)


def test_best_ranks_only_by_a_value_of_its_own_iteration(tmp_path):
    best = {"metric": "eval_vs_random/win_rate", "keep": 9, "every": 2}
    run = train(tiny_experiment(overrides={"checkpoint": {"best": best}}), tmp_path)
    saved = sorted(path.name for path in (run.run_dir / "checkpoints" / "best").glob("0*"))
    assert saved == ["000004", "000008"]  # the evaluator's cadence is 4


def test_a_run_that_is_running_is_refused(plain, tmp_path):
    stopped = train(tiny_experiment(), tmp_path, iterations=1)
    with RunLock(stopped.run_dir), pytest.raises(UserError, match="is being written by"):
        resume(tmp_path, stopped.uid, ingest=False)


def test_a_journal_without_a_header_is_refused(tmp_path):
    folder = tmp_path / "20260101-000000-abcdef"
    folder.mkdir()
    (folder / "journal.jsonl").write_text(json.dumps({"kind": "note"}) + "\n")
    with pytest.raises(UserError, match="no header"):
        resume(tmp_path, folder.name, ingest=False)
