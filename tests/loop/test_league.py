"""The league in whole runs: schedule, standings, copies, one program a regime, a pool in place."""

import re

import jax
import numpy as np
import pytest

from jaxpot.checkpoints import list_checkpoints, read_metadata
from jaxpot.checkpoints.arrays import read_arrays
from jaxpot.loop import plan
from jaxpot.loop.context import build_context
from jaxpot.loop.lower import split_state
from jaxpot.loop.phase import Phase
from jaxpot.loop.phases import compile_graph
from jaxpot.loop.programs import Programs
from jaxpot.loop.run import resume
from jaxpot.loop.shapes import abstract_state
from jaxpot.loop.streams import root_key_data
from tests.loop.leagues import LEAGUE, league_events, league_experiment, standings
from tests.loop.running import events, rows, trace, train
from tests.tiny import tiny_experiment

pytestmark = [pytest.mark.slow, pytest.mark.optimised]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(league_experiment(), tmp_path_factory.mktemp("league"))


def test_every_kind_of_event_occurs(run):
    assert {name for _, name, _ in league_events(run)} == {
        "league_add", "league_archive", "league_drop", "league_recall", "league_release",
    }  # fmt: skip


def test_copies_are_taken_when_the_rule_says(run):
    """Not in the warm-up, then at once, every 2 until both are there, then every 3."""
    added = [
        (t, payload["name"]) for t, name, payload in league_events(run) if name == "league_add"
    ]
    expected = [2, 3, 5, 8, 11, 14, 17, 20, 23]
    assert added == [(t, f"iter_{t + 1:06d}") for t in expected]


def test_events_and_standings_tell_one_story(run):
    """Who is where, by the events alone, is what standings and payload say at every iteration."""
    happened = league_events(run)
    recorded = standings(run)
    place, active = {}, {}
    for row in rows(run):
        t = row["iter"]
        # What an iteration finds was settled before it: adds of t - 1, decisions of t - 1.
        assert row["iteration/league_size"] == list(place.values()).count("league")
        assert row["iteration/league_archive_size"] == list(place.values()).count("archive")
        assert row["iteration/active_archive_size"] == sum(active.values())
        assert ("train_vs_league/reward" in row) == ("league" in place.values())
        assert ("train_vs_archive/reward" in row) == any(active.values())
        now = [(name, payload["name"]) for at, name, payload in happened if at == t]
        for name, entry in now:
            if name in ("league_recall", "league_release"):
                active[entry] = name == "league_recall"
        reported = {each["name"]: (each["place"], each["active"]) for each in recorded[t]}
        assert reported == {e: (p, p == "league" or active.get(e, False)) for e, p in place.items()}
        for name, entry in now:
            match name:
                case "league_add":
                    place[entry] = "league"
                case "league_archive":
                    place[entry] = "archive"
                case "league_drop":
                    del place[entry]
                    active.pop(entry, None)


def test_scores_move_as_the_payload_says(run):
    """While a league has one entry, its score is the moving average of the iteration's reward."""
    (entry,) = standings(run)[3]
    reward = np.float32(rows(run)[3]["train_vs_league/reward"])
    expected = np.float32(-0.05)
    if not np.isnan(reward):  # else no game finished
        expected = np.float32(0.7) * expected + np.float32(0.3) * reward
    assert entry["name"] == "iter_000003"
    assert entry["score"] == pytest.approx(float(expected), abs=1e-6)


def test_an_entry_is_the_checkpoint_of_the_iterations_that_name_it(run):
    """Copies, bit for bit: what the pool ends with are the parameters that were saved back then."""
    saved = {c.iteration: c.path for c in list_checkpoints(run.run_dir) if c.place == "checkpoints"}
    last = max(saved)
    arrays = read_arrays(saved[last], read_metadata(saved[last]).leaves)
    compared = 0
    for slot in np.flatnonzero(arrays["league/place"]):
        born = int(arrays["league/born"][slot])
        if born not in saved:
            continue
        then = read_arrays(saved[born], read_metadata(saved[born]).leaves)
        for path in (path for path in then if path.startswith("params/")):
            np.testing.assert_array_equal(arrays[f"pool/{path}"][slot], then[path])
            assert not np.array_equal(arrays[path], then[path])
            compared += 1
    assert compared


def test_the_plans_programs_compile_once_and_nothing_else_does(tmp_path, compiles):
    experiment = league_experiment(checkpoint={"every": 4})
    jax.clear_caches()
    compiles.clear()
    result = train(experiment, tmp_path)
    assert {name for _, name, _ in league_events(result)} >= {"league_drop", "league_release"}
    planned = plan.programs(compile_graph(experiment))
    assert sorted(compiles) == sorted(re.sub(r"\W", "_", name) for name in planned)
    assert [event["program"] for event in events(result, "compile")].count("league_freeze") == 1


def test_no_key_is_consumed_twice(tmp_path):
    with jax.debug_key_reuse(True):
        jax.clear_caches()
        result = train(league_experiment(), tmp_path)
    jax.clear_caches()
    assert result.status == "completed"


def test_payload_of_a_run_with_a_league(run, snapshot):
    seen = []
    for row in rows(run):
        keys = sorted(row)
        if not seen or seen[-1]["keys"] != keys:
            seen.append({"from": row["iter"], "keys": keys})
    assert seen == snapshot


def test_the_pool_is_copied_by_no_program_of_an_iteration():
    """Its kernels occur as parameters and under gathers and loop tuples, never under a copy."""
    experiment = league_experiment()
    graph = compile_graph(experiment)
    context = build_context(experiment, None)
    programs = Programs(graph, context, lambda *_: None)
    root_key = root_key_data(experiment.seed)
    state = abstract_state(graph, context)
    regime = graph.regimes()[-1]
    assert regime.name == "selfplay+league+archive"
    changing, fixed = split_state(graph, regime, state)
    assert "pool" in fixed
    assert "pool" not in changing
    program = programs.iteration(regime)
    text = program._jitted.lower(changing, fixed, root_key).compile().as_text()
    # Nothing else has a shape of theirs.
    kernels = {leaf.shape for leaf in jax.tree.leaves(state["pool"]) if leaf.ndim == 3}
    shapes = "|".join(",".join(map(str, shape)) for shape in kernels)
    made = re.findall(rf"= f32\[(?:{shapes})\]\S* ([a-z-]+)\(", text)
    assert made
    assert set(made) <= {"parameter", "get-tuple-element", "bitcast"}, set(made)


def test_an_altered_entry_fails_the_run_and_is_named(tmp_path):
    """A phase from outside that writes into the pool, as an alias of the live network would."""

    def build(context, phase):
        del context, phase
        return lambda values: ({"pool": jax.tree.map(lambda x: x + 1, values["pool"])}, {})

    alias = Phase(
        name="alias", where="device", program="iteration", implementation=build,
        reads=("pool",), writes=("pool",),
    )  # fmt: skip
    experiment = league_experiment()
    stopped = train(experiment, tmp_path, iterations=5)
    graph = compile_graph(experiment).with_phase(alias, after="training")
    result = resume(tmp_path, stopped.uid, graph=graph, ingest=False)
    assert (result.status, result.exit_code) == ("failed", 1)
    assert "league entry iter_000003 is not what was frozen" in result.reason
    assert result.checkpoint == stopped.checkpoint


@pytest.mark.usefixtures("shared_programs")
@pytest.mark.parametrize(
    "overrides",
    [
        {"runtime": {"profile_every": 15}},  # one iteration, played against league and archive
        {"checkpoint": {"every": 7, "best": None}},
        {"league": {"log_every": 9}},
    ],
    ids=str,
)
def test_what_watches_a_run_changes_no_bit(run, tmp_path, overrides):
    digests = [digest for _, digest, _ in trace(train(league_experiment(overrides), tmp_path))]
    assert digests == [digest for _, digest, _ in trace(run)]


def test_a_league_that_is_not_asked_for_leaves_no_trace(tmp_path):
    result = train(tiny_experiment(iterations=2), tmp_path)
    assert not standings(result)
    assert not [key for row in rows(result) for key in row if "league" in key]
    assert not (tmp_path / result.checkpoint / "league.json").exists()
    assert LEAGUE["league"]["size"] == 2
