"""Where a run starts from: one of its checkpoints, or the network of another run."""

import json
import shutil

import jax
import numpy as np
import pytest

from jaxpot import checkpoints
from jaxpot.checkpoints import CheckpointWriter
from jaxpot.checkpoints.arrays import read_arrays
from jaxpot.errors import UserError
from jaxpot.journal import read_record
from jaxpot.loop import train as training
from jaxpot.loop.digest import combine, leaf_digests, to_hex
from jaxpot.loop.run import resume
from tests.journal.reading import read_header, records
from tests.loop.leagues import league_events, league_experiment, standings
from tests.loop.running import events, journal, rows, trace, train
from tests.tiny import tiny_experiment

pytestmark = pytest.mark.usefixtures("shared_programs")

BEST = {"metric": "total_loss", "mode": "min", "keep": 2, "every": 1}
POLICY = {"checkpoint": {"every": 2, "keep_last": 9, "milestone_every": 3, "best": BEST}}


def saving_often(**changes):
    return tiny_experiment(overrides=POLICY, **changes)


@pytest.fixture(scope="module")
def unstopped(tmp_path_factory):
    """A run of 8 iterations without a stop."""
    return train(saving_often(), tmp_path_factory.mktemp("unstopped"))


@pytest.fixture
def done(unstopped, tmp_path):
    """A copy of it that a test may resume."""
    return shutil.copytree(unstopped.run_dir, tmp_path / "runs" / unstopped.uid)


def resumed(folder, **options):
    return resume(folder.parent, folder.name, ingest=False, **options)


def held(folder):
    """Returns every checkpoint of a run, as (place, iteration)."""
    return [(info.place, info.iteration) for info in checkpoints.list_checkpoints(folder)]


def starts(folder):
    path = folder / "journal.jsonl"
    return [(r["start_iter"], r.get("from")) for r in records(path, kinds=("attempt",))]


def warnings(result):
    return [event["text"] for event in events(result, "warning")]


@pytest.mark.parametrize(
    ("word", "path", "start"),
    [
        ("2", "000002", 2),
        ("000004", "000004", 4),
        ("milestone:3", "milestones/000003", 3),
        ("latest", "000008", 8),
    ],
)
def test_a_chosen_checkpoint_changes_no_bit(unstopped, done, word, path, start):
    result = resumed(done, checkpoint=word)
    assert (result.status, result.digest, result.attempt) == ("completed", unstopped.digest, 2)
    assert trace(result) == trace(unstopped)
    assert starts(done) == [(0, None), (start, f"{done.name}/checkpoints/{path}")]
    assert held(done) == held(unstopped.run_dir)
    for info in checkpoints.list_checkpoints(done):
        there = unstopped.run_dir / info.path.relative_to(done)
        found = checkpoints.verify(info.path)
        assert found.content_sha256 == checkpoints.verify(there).content_sha256


def test_the_best_one_is_what_the_manifest_says(unstopped, done):
    best = min(rows(unstopped), key=lambda row: row["total_loss"])["iter"] + 1
    result = resumed(done, checkpoint="best")
    assert starts(done)[1] == (best, f"{done.name}/checkpoints/best/{best:06d}")
    assert trace(result) == trace(unstopped)


@pytest.mark.parametrize("relative_to", ["runs", "here", "nothing"])
def test_a_path_of_the_run(unstopped, done, relative_to, monkeypatch):
    monkeypatch.chdir(done / "checkpoints")
    word = {
        "runs": f"{done.name}/checkpoints/000004",
        "here": "./milestones/000003",
        "nothing": str(done / "checkpoints" / "000002"),
    }[relative_to]
    result = resumed(done, checkpoint=word)
    assert starts(done)[1][0] == {"runs": 4, "here": 3, "nothing": 2}[relative_to]
    assert result.digest == unstopped.digest


def test_what_is_superseded_is_said_and_deleted(unstopped, done):
    before = [
        f"{done.name}/{info.path.relative_to(done)}"
        for info in checkpoints.list_checkpoints(done)
        if info.iteration > 4
    ]
    result = resumed(done, checkpoint="4", iterations=5)
    assert result.iterations == 5
    assert all(iteration <= 5 for _, iteration in held(done))
    text = f"resuming from {done.name}/checkpoints/000004 supersedes, and deletes, "
    assert warnings(result) == [text + ", ".join(before)]
    assert events(result, "superseded") == [{"after": 4, "checkpoints": before}]
    deleted = [
        record
        for record in records(journal(result), kinds=("checkpoint",))
        if record["state"] == "deleted" and record["attempt"] == 2
    ]
    assert {record["path"] for record in deleted} == set(before)
    assert {record["digest"] for record in deleted} <= {
        record["digest"] for record in records(journal(unstopped), kinds=("payload",))
    }
    assert len(rows(result)) == 5


def test_a_finished_run_is_run_again_even_from_its_end(done):
    result = resumed(done, checkpoint="latest")
    assert (result.attempt, result.status, result.checkpoint) == (
        2,
        "completed",
        f"{done.name}/checkpoints/000008",
    )
    assert warnings(result) == []
    assert resumed(done).attempt == 2


def test_one_beyond_what_is_asked_for_is_refused(done):
    with pytest.raises(UserError, match="has done 4 iterations, more than the 3 asked for"):
        resumed(done, checkpoint="4", iterations=3)
    assert len(starts(done)) == 1


def test_a_damaged_one_is_refused_and_nothing_is_deleted(done):
    (done / "checkpoints" / "milestones" / "000003" / "metadata.json").write_bytes(b"{}")
    before = held(done)
    with pytest.raises(UserError, match=r"000003: damaged: metadata\.json.*choose another one"):
        resumed(done, checkpoint="milestone:3")
    assert (held(done), len(starts(done))) == (before, 1)


def test_a_checkpoint_of_another_run_is_refused(unstopped, done):
    other = str(unstopped.run_dir / "checkpoints" / "000004")
    with pytest.raises(UserError, match=f"this is no checkpoint of run {done.name}; .*--init-from"):
        resumed(done, checkpoint=other)


def test_a_path_that_leads_nowhere_is_refused(done):
    with pytest.raises(UserError, match="--from runs/000004: there is no checkpoint"):
        resumed(done, checkpoint="runs/000004")


def killed(monkeypatch, *, after):
    """Ends an attempt as a kill does, before or `after` its newer checkpoints are deleted."""
    supersede = CheckpointWriter.supersede_after

    def dying(self, iteration):
        if after:
            supersede(self, iteration)
        raise SystemExit

    monkeypatch.setattr(CheckpointWriter, "supersede_after", dying)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_choice_survives_a_kill_before_its_deletions(unstopped, done, after, monkeypatch):
    """The rows beyond the choice are superseded already, so nothing beyond it may be resumed."""
    with monkeypatch.context() as patch:
        killed(patch, after=after)
        for _ in range(2):
            with pytest.raises(SystemExit):
                resumed(done, checkpoint="2") if len(starts(done)) == 1 else resumed(done)
    assert read_record(done).limit == 2
    assert (("checkpoints", 8) in held(done)) != after
    if not after:
        with pytest.raises(UserError, match="iteration 8 is superseded: attempt 3 started again"):
            resumed(done, checkpoint="8")
    result = resumed(done)
    assert [start for start, _ in starts(done)] == [0, 2, 2, 2]
    assert trace(result) == trace(unstopped)
    assert read_record(done).limit is None
    assert held(done) == held(unstopped.run_dir)


def test_latest_after_such_a_kill_is_the_newest_that_counts(unstopped, done, monkeypatch):
    with monkeypatch.context() as patch:
        killed(patch, after=False)
        with pytest.raises(SystemExit):
            resumed(done, checkpoint="2")
    result = resumed(done, checkpoint="latest")
    assert (starts(done)[2][0], trace(result)) == (2, trace(unstopped))


def test_an_attempt_later_on_resumes_from_what_it_has_saved(unstopped, done):
    assert resumed(done, checkpoint="2", iterations=5).iterations == 5
    result = resumed(done)
    assert [start for start, _ in starts(done)] == [0, 2, 5]
    assert trace(result) == trace(unstopped)


# With a league


@pytest.fixture(scope="module")
def with_league(tmp_path_factory):
    return train(league_experiment(), tmp_path_factory.mktemp("league"))


@pytest.mark.slow
def test_the_files_of_a_league(with_league):
    folder = with_league.run_dir / "checkpoints" / "000012"
    listed = json.loads((folder / "league.json").read_text())["entries"]
    assert [entry["slot"] for entry in listed] == sorted(entry["slot"] for entry in listed)
    added = {event["name"]: event for event in events(with_league, "league_add")}
    shown = standings(with_league)[11]
    assert {entry["name"] for entry in listed} == {row["name"] for row in shown}
    for entry in listed:
        assert entry["digest"] == added[entry["name"]]["digest"]
        assert (folder / "league_states").is_dir()
    by_name = {row["name"]: row for row in shown}
    for entry in listed:
        row = by_name[entry["name"]]
        assert {name: entry[name] for name in row} == row


@pytest.mark.slow
@pytest.mark.parametrize("word", ["4", "8", "12", "20", "best"])
def test_a_chosen_checkpoint_with_a_league_changes_no_bit(with_league, tmp_path, word):
    folder = shutil.copytree(with_league.run_dir, tmp_path / with_league.uid)
    result = resumed(folder, checkpoint=word)
    assert result.attempt == 2
    assert trace(result) == trace(with_league)
    assert standings(result) == standings(with_league)
    assert league_events(result) == league_events(with_league)
    assert held(folder) == held(with_league.run_dir)
    for info in checkpoints.list_checkpoints(folder):
        there = with_league.run_dir / info.path.relative_to(folder)
        found = checkpoints.verify(info.path)
        assert found.content_sha256 == checkpoints.verify(there).content_sha256


@pytest.mark.slow
def test_a_league_starts_empty_around_another_runs_network(with_league, tmp_path, monkeypatch):
    runs_dir = tmp_path / "runs"
    parent = shutil.copytree(with_league.run_dir, runs_dir / with_league.uid)
    run, started = first_state(monkeypatch, league_experiment(), runs_dir, init_from=parent.name)
    assert not started["league"].place.any()
    assert not any(leaf.any() for leaf in jax.tree.leaves(started["pool"]))
    assert same(started["target"].params, started["params"])
    whole = train(league_experiment(), runs_dir, init_from=parent.name)
    assert trace(resumed(run.run_dir)) == trace(whole)


# A new run from another's network


def network_of(path):
    metadata = checkpoints.verify(path)
    wanted = {p: x for p, x in metadata.leaves.items() if p.startswith(("params/", "model_state/"))}
    return read_arrays(path, wanted)


def first_state(monkeypatch, experiment, runs_dir, **options):
    """Runs an iteration; returns the run, and its state before that."""
    seen = []
    start = training._start

    def spy(*arguments, **more):
        attempt = start(*arguments, **more)
        seen.append(jax.device_get(attempt.state))
        return attempt

    with monkeypatch.context() as patch:
        patch.setattr(training, "_start", spy)
        return train(experiment, runs_dir, iterations=1, **options), seen[0]


def same(found, wanted):
    one, other = jax.tree.leaves(found), jax.tree.leaves(wanted)
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    return all(np.array_equal(x, y) for x, y in zip(one, other, strict=True))


def test_only_the_network_is_taken_over(done, monkeypatch):
    runs_dir = done.parent
    experiment = saving_often(seed=7)
    _, fresh = first_state(monkeypatch, experiment, runs_dir)
    run, started = first_state(monkeypatch, experiment, runs_dir, init_from=f"{done.name}:4")
    flat = {
        jax.tree_util.keystr(path, simple=True, separator="/"): x
        for path, x in jax.tree_util.tree_flatten_with_path(started)[0]
    }
    network = network_of(done / "checkpoints" / "000004")
    assert network
    assert all(np.array_equal(flat[path], x) for path, x in network.items())
    assert not same(started["params"], fresh["params"])
    for field in fresh.keys() - {"params", "model_state"}:
        assert same(started[field], fresh[field]), field
    assert run.iterations == 1


def test_the_digest_of_the_start_is_the_states(done, monkeypatch):
    digests = []
    start = training._start

    @jax.jit
    def digest_of(values):
        paths, leaves = leaf_digests(values)
        return combine(leaves, paths)

    def spy(*arguments):
        attempt = start(*arguments)
        digested = {f.name: attempt.state[f.name] for f in attempt.graph.fields if f.digested}
        digests.append((attempt.recorder.digest, to_hex(digest_of(digested))))
        return attempt

    monkeypatch.setattr(training, "_start", spy)
    train(saving_often(), done.parent, iterations=1, init_from=done.name)
    assert digests[0][0] == digests[0][1] != ""


@pytest.mark.slow
def test_the_target_starts_as_the_network_that_is_taken_over(done, monkeypatch):
    selfplay = {"selfplay": {"num_envs": 16, "opponent": "target"}, "random": None}
    experiment = tiny_experiment(target={"tau": 0.5, "every": 1}, overrides={"collect": selfplay})
    run, started = first_state(monkeypatch, experiment, done.parent, init_from=done.name)
    for name in ("params", "model_state"):
        assert same(getattr(started["target"], name), started[name])
    assert resumed(run.run_dir).status == "completed"


def test_the_parent_is_recorded(done):
    run = train(saving_often(), done.parent, iterations=2, init_from=f"{done.name}:milestone:3")
    path = done / "checkpoints" / "milestones" / "000003"
    relative = f"{done.name}/checkpoints/milestones/000003"
    sha256 = checkpoints.read_metadata(path).content_sha256
    header = read_header(journal(run))
    assert header is not None
    assert (header["parent"], header["parent_sha256"]) == (relative, sha256)
    source = {"run": done.name, "checkpoint": relative, "iteration": 3, "sha256": sha256}
    assert events(run, "init_from") == [source]
    compiled = {event["program"] for event in events(run, "compile")}
    assert "init" not in compiled


def test_a_run_without_a_parent_records_none(unstopped):
    header = read_header(journal(unstopped))
    assert header is not None
    assert header["parent"] is None
    assert header["parent_sha256"] is None
    assert events(unstopped, "init_from") == []


@pytest.mark.parametrize("word", ["{uid}", "{uid}:latest", "tiny", "{uid}/checkpoints/000008"])
def test_each_way_to_name_the_parent(done, word):
    word = word.format(uid=done.name)
    run = train(saving_often(seed=3), done.parent, iterations=1, init_from=word)
    header = read_header(journal(run))
    assert header is not None
    assert header["parent"] == f"{done.name}/checkpoints/000008"


def test_a_parent_outside_the_runs_directory(unstopped, tmp_path):
    path = unstopped.run_dir / "checkpoints" / "000004"
    run = train(saving_often(), tmp_path / "new", iterations=1, init_from=str(path))
    (source,) = events(run, "init_from")
    assert (tmp_path / "new" / source["checkpoint"]).samefile(path)
    assert (source["run"], source["iteration"]) == (unstopped.uid, 4)


def test_resuming_such_a_run_changes_no_bit(done):
    whole = train(saving_often(seed=5), done.parent, init_from=done.name)
    again = train(saving_often(seed=5), done.parent, init_from=done.name, iterations=3)
    assert trace(resumed(again.run_dir)) == trace(whole)
    shutil.rmtree(done)
    again = train(saving_often(seed=5), done.parent, init_from=whole.uid, iterations=3)
    shutil.rmtree(whole.run_dir)
    assert resumed(again.run_dir).status == "completed"


def test_without_a_checkpoint_of_its_own_it_starts_from_the_parent_again(done):
    whole = train(saving_often(seed=5), done.parent, init_from=done.name)
    again = train(saving_often(seed=5), done.parent, init_from=done.name, iterations=3)
    shutil.rmtree(again.run_dir / "checkpoints")
    result = resumed(again.run_dir)
    assert trace(result) == trace(whole)
    assert len(events(result, "init_from")) == 2


def test_a_parent_that_is_gone_or_another_is_told(done):
    run = train(saving_often(seed=5), done.parent, init_from=done.name, iterations=1)
    shutil.rmtree(run.run_dir / "checkpoints")
    parent = done / "checkpoints" / "000008"
    shutil.copytree(parent, done / "kept")
    shutil.rmtree(parent)
    shutil.copytree(done / "checkpoints" / "000004", parent)
    text = f"run {run.uid} has no checkpoint and started from {done.name}/.*000008, "
    with pytest.raises(UserError, match=f"{text}which holds other arrays by now; put it back, or"):
        resumed(run.run_dir)
    shutil.rmtree(parent)
    with pytest.raises(UserError, match=f"{text}which cannot be read; put it back, or start a new"):
        resumed(run.run_dir)
    shutil.copytree(done / "kept", parent)
    assert resumed(run.run_dir).status == "completed"


def test_a_network_that_does_not_fit_is_told_leaf_by_leaf_before_anything_is_written(done):
    other = tiny_experiment(model={"kind": "mlp", "hidden_dims": [4]})
    before = sorted(path.name for path in done.parent.iterdir())
    with pytest.raises(UserError) as caught:
        train(other, done.parent, init_from=done.name)
    first, *faults, way_out = str(caught.value).splitlines()
    assert first.startswith("the network of ")
    assert len(faults) > 1
    assert all(fault.startswith("  params/") and "the checkpoint" in fault for fault in faults)
    assert "[model]" in way_out
    assert sorted(path.name for path in done.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("nobody", "no run in .* is called 'nobody'"),
        ("tiny:99", "has no checkpoint '99'; there are periodic"),
        ("tiny:", None),
        ("some/where", "--init-from some/where: there is no checkpoint"),
    ],
)
def test_a_parent_that_is_not_there(done, word, text):
    if text is None:
        assert train(saving_often(), done.parent, iterations=1, init_from=word).iterations == 1
        return
    with pytest.raises(UserError, match=text):
        train(saving_often(), done.parent, init_from=word)
    assert len(list(done.parent.iterdir())) == 1


def test_a_damaged_parent_is_refused(done):
    (done / "checkpoints" / "000008" / "metadata.json").write_bytes(b"{}")
    with pytest.raises(UserError, match=r"damaged: metadata\.json: .*; start from another"):
        train(saving_often(), done.parent, init_from=f"{done.name}/checkpoints/000008")


# What the journal says


def record_of(tmp_path, *lines):
    folder = tmp_path / "20260101-000000-abcdef"
    folder.mkdir()
    header = {"kind": "header", "journal_version": 1, "uid": folder.name, "spec": {"name": "x"}}
    text = "".join(json.dumps({"time": 1.0} | line) + "\n" for line in (header, *lines))
    (folder / "journal.jsonl").write_text(text)
    return read_record(folder)


def attempt(number, start, **more):
    return {"kind": "attempt", "attempt": number, "start_iter": start, **more}


SUPERSEDED = {"kind": "event", "name": "superseded", "payload": {}}


@pytest.mark.parametrize(
    ("lines", "limit"),
    [
        ([], None),
        ([attempt(1, 0), attempt(2, 4)], None),
        ([attempt(1, 0), attempt(2, 4, **{"from": "x"})], 4),
        ([attempt(1, 0), attempt(2, 4, **{"from": "x"}), SUPERSEDED], None),
        ([attempt(1, 0), attempt(2, 4, **{"from": "x"}), attempt(3, 3)], 3),
        ([attempt(1, 0), attempt(2, 4, **{"from": "x"}), attempt(3, 4), SUPERSEDED], None),
        ([attempt(2, 4, **{"from": "x"}), SUPERSEDED, attempt(3, 9)], None),
    ],
)
def test_the_limit(tmp_path, lines, limit):
    assert record_of(tmp_path, *lines).limit == limit


def test_the_newest_checkpoint_is_the_newest_that_is_left(tmp_path):
    def stage(state, iteration, kind="periodic"):
        place = {"attempt": 1, "type": kind, "iteration": iteration, "path": str(iteration)}
        return {"kind": "checkpoint", "state": state, **place}

    lines = [stage("committed", i) for i in (1, 2, 3)]
    found = record_of(tmp_path, *lines, stage("committed", 4, "best"), stage("deleted", 3))
    assert found.checkpoint == "2"
