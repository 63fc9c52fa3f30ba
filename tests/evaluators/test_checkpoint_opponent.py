import json
import math
import sys
from pathlib import Path

import jax
import numpy as np
import pyspiel
import pytest

from jaxpot.checkpoints import CheckpointWriter
from jaxpot.errors import UserError
from jaxpot.evaluators import checkpoint_opponent
from jaxpot.games import pgx_env
from jaxpot.spec import Best, Checkpoint, CheckpointEvaluator, PgxEnv, Search, resolved
from jaxpot.spec.configs.evaluators import checkpoint_keys
from jaxpot.spec.registry import implementation
from jaxpot.store.runs import create_run
from jaxpot.testing import check_evaluator
from tests.evaluators.boards import observation
from tests.tiny import tiny_experiment

GAMES = 16
ENV = pgx_env.build(PgxEnv(id="tic_tac_toe"))
SPEC = tiny_experiment()
OPPONENT = tiny_experiment(name="old", model={"kind": "mlp", "hidden_dims": [6, 5]})


def network_of(experiment):
    return implementation(experiment.model)(
        experiment.model, observation_shape=ENV.observation_shape, num_actions=ENV.num_actions
    )


def drawn(experiment, seed):
    return jax.device_get(jax.jit(network_of(experiment).init)(jax.random.key(seed)))


def leave_run(runs_dir, experiment, *iterations, spec=None, types=("periodic",)):
    """Leaves a run with checkpoints; the parameters after `t` iterations are those of seed `t`."""
    header = {"journal_version": 1, "name": experiment.name}
    header["spec"] = spec or resolved(experiment)
    policy = Checkpoint(best=Best(metric="total_loss", mode="min", every=1))
    with create_run(runs_dir, header) as (uid, folder):
        writer = CheckpointWriter(folder, runs_dir, policy, lambda record: None)
        for t in iterations:
            state = {**vars(drawn(experiment, t)), "opt_state": np.zeros(3)}
            writer.save(state, iteration=t, types=frozenset(types), metadata={}, score=float(t))
        writer.wait()
        writer.close()
    return uid


def build(runs_dir, *, experiment=SPEC, recorded=None, **options):
    config = CheckpointEvaluator(**{"every": 1, "num_games": GAMES, "run": "old", **options})
    return checkpoint_opponent.build(
        config,
        name="eval_vs_old",
        env=ENV,
        network=network_of(experiment),
        experiment=experiment,
        runs_dir=runs_dir,
        recorded=recorded,
    )


def refusal(*arguments, **options):
    with pytest.raises(UserError) as caught:
        build(*arguments, **options)
    return str(caught.value)


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A folder of runs with one, of another architecture than the agent's."""
    runs_dir = tmp_path_factory.mktemp("runs")
    leave_run(runs_dir, OPPONENT, 10, 30, 20)
    return runs_dir


def best_move(network, variables, replay):
    seen = observation("tic_tac_toe", replay)[None]
    logits = np.asarray(network.apply(variables, seen)[0][0])
    return max(replay.legal_actions(), key=lambda action: logits[action])


def test_both_networks_play_their_own_moves(old):
    """Greedy games go one way from each side: replayed in OpenSpiel, move by move."""
    evaluator = build(old, greedy=True)
    agent, mine, other = network_of(SPEC), drawn(SPEC, 7), drawn(OPPONENT, 30)
    output = jax.jit(evaluator.run)(mine, jax.random.key(0), **evaluator.constants)
    counts, score = np.zeros(9, int), 0.0
    for seat in (0, 1):
        replay = pyspiel.load_game("tic_tac_toe").new_initial_state()
        while not replay.is_terminal():
            if replay.current_player() == seat:
                action = best_move(agent, mine, replay)
                counts[action] += GAMES // 2
            else:
                action = best_move(network_of(OPPONENT), other, replay)
            replay.apply_action(action)
        assert float(output.metrics[f"p{seat}/avg_reward"]) == replay.player_return(seat)
        score += (replay.player_return(seat) + 1) / 4
    np.testing.assert_array_equal(output.histograms["actions"], counts)
    expected = math.inf if score == 1 else -math.inf
    if 0 < score < 1:
        expected = 400 * math.log10(score / (1 - score))
    assert float(output.metrics["elo"]) == pytest.approx(expected, abs=1e-3)


@pytest.mark.slow
def test_a_network_is_as_strong_as_itself(tmp_path):
    leave_run(tmp_path, SPEC, 3)
    evaluator = build(tmp_path, run="tiny", num_games=4096)
    run = jax.jit(evaluator.run)
    metrics = run(drawn(SPEC, 3), jax.random.key(1), **evaluator.constants).metrics
    found = {name: float(value) for name, value in metrics.items()}
    assert abs(found["elo"]) < 4 * found["elo_stderr"]
    score = found["win_rate"] + found["draw_rate"] / 2
    assert found["elo"] == pytest.approx(400 * math.log10(score / (1 - score)), abs=0.01)
    # A game's score has a standard deviation below 1/2, and 1 is 695 points near equality.
    assert 0 < found["elo_stderr"] < 695 / 2 / math.sqrt(4096)


@pytest.mark.slow
def test_keeps_the_evaluators_contract(old):
    evaluator = build(old, num_games=4)
    declared = checkpoint_keys(CheckpointEvaluator(every=1, num_games=4, run="old"), "eval_vs_old")
    names = [key.name.removeprefix("eval_vs_old/") for key in declared]
    check_evaluator(evaluator, network_of(SPEC), metrics=names)


@pytest.mark.parametrize(("selector", "iteration"), [("latest", 30), ("10", 10), ("000020", 20)])
def test_selectors_pick_the_checkpoint(old, selector, iteration):
    evaluator = build(old, checkpoint=selector)
    uid = next(path.name for path in old.iterdir())
    sha256 = evaluator.source["sha256"]
    assert evaluator.source == {
        "run": uid,
        "checkpoint": f"{uid}/checkpoints/{iteration:06d}",
        "iteration": iteration,
        "sha256": sha256,
    }
    metadata = json.loads((old / evaluator.source["checkpoint"] / "metadata.json").read_text())
    assert metadata["content_sha256"] == sha256
    found, expected = evaluator.constants["opponent"], drawn(OPPONENT, iteration)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_milestones_and_best_ones_can_be_named(tmp_path):
    leave_run(tmp_path, OPPONENT, 10, 20, types=("milestone", "best"))
    for selector, path in (("milestone:20", "milestones/000020"), ("best", "best/000010")):
        assert build(tmp_path, checkpoint=selector).source["checkpoint"].endswith(path)


def test_opponents_that_are_not_there(old, tmp_path):
    text = refusal(tmp_path)
    assert text == f"there is no run in {tmp_path}"
    text = refusal(old, run="older")
    assert text.startswith(f"no run in {old} is called 'older', or tagged so; the newest are ")
    text = refusal(old, checkpoint="40")
    assert "has no checkpoint '40'; there are periodic 10, 20, 30" in text
    assert "has no checkpoint 'best'" in refusal(old, checkpoint="best")
    assert "\n" not in text


def test_a_run_of_another_game_is_refused(tmp_path):
    uid = leave_run(tmp_path, SPEC, 1, spec={**resolved(SPEC), "env": {"kind": "pgx", "id": "go"}})
    assert refusal(tmp_path, run=uid) == (
        f"run {uid} plays another game: its env.id is 'go', this spec's is 'tic_tac_toe'"
    )


def test_a_network_that_does_not_fit_its_own_spec_is_refused(tmp_path):
    spec = resolved(tiny_experiment(model={"kind": "mlp", "hidden_dims": [7, 5]}))
    uid = leave_run(tmp_path, OPPONENT, 1, spec=spec)
    text = refusal(tmp_path)
    assert text.startswith(f"{tmp_path}/{uid}/checkpoints/000001 does not fit")
    assert "params/hidden/0/kernel: the program has float32[18, 7]" in text
    assert "\n" not in text


@pytest.mark.parametrize("model", [None, {"kind": "mlq"}, {"kind": "mlp", "depth": 3}])
def test_a_run_with_a_model_that_cannot_be_built_is_refused(tmp_path, model):
    uid = leave_run(tmp_path, OPPONENT, 1, spec={**resolved(OPPONENT), "model": model})
    text = refusal(tmp_path)
    assert text.startswith(f"run {uid}: ")
    assert "model" in text
    assert "\n" not in text


def test_a_damaged_checkpoint_is_refused(tmp_path):
    uid = leave_run(tmp_path, OPPONENT, 1)
    (tmp_path / uid / "checkpoints" / "000001" / "extra").touch()
    assert "damaged: extra: is not among the files" in refusal(tmp_path, checkpoint="1")


OWN_MODEL = """
from pathlib import Path

import attrs

from jaxpot.spec import MLP
from jaxpot.spec.registry import implementation

Path(__file__).with_suffix(".imported").touch()


@attrs.frozen
class Narrow:
    width: int = 3

    def build(self, **shapes):
        config = MLP(hidden_dims=(self.width,))
        return implementation(config)(config, **shapes)
"""


@pytest.fixture
def own_model(tmp_path, monkeypatch):
    (tmp_path / "own_model_of_old.py").write_text(OWN_MODEL)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "own_model_of_old:Narrow"
    sys.modules.pop("own_model_of_old", None)


def test_a_class_that_the_spec_does_not_name_is_not_imported(tmp_path, own_model):
    model = {"kind": own_model, "width": 4}
    uid = leave_run(tmp_path / "runs", SPEC, 1, spec={**resolved(SPEC), "model": model})
    assert refusal(tmp_path / "runs", run=uid) == (
        f"run {uid}: its model is own_model_of_old:Narrow, a class that this spec does not name "
        "and that is therefore not imported"
    )
    assert not (tmp_path / "own_model_of_old.imported").exists()
    assert "own_model_of_old" not in sys.modules


def test_a_class_that_the_spec_names_is_the_opponents_too(tmp_path, own_model):
    """With its own table: the opponent is four wide, where the agent is three."""
    four = tiny_experiment(model={"kind": "mlp", "hidden_dims": [4]})
    spec = {**resolved(four), "model": {"kind": own_model, "width": 4}}
    uid = leave_run(tmp_path / "runs", four, 1, spec=spec)
    agent = tiny_experiment(model={"kind": own_model, "width": 3})
    evaluator = checkpoint_opponent.build(
        CheckpointEvaluator(every=1, num_games=4, run=uid),
        name="eval_vs_old",
        env=ENV,
        network=network_of(SPEC),
        experiment=agent,
        runs_dir=tmp_path / "runs",
    )
    params = evaluator.constants["opponent"].params
    assert params["hidden"]["0"]["kernel"].shape == (18, 4)


def test_a_recorded_opponent_stays_the_same(tmp_path):
    """However far its run goes on, and wherever its arrays lie by then."""
    uid = leave_run(tmp_path, OPPONENT, 10, types=("periodic", "milestone"))
    first = build(tmp_path)
    leave_run(tmp_path, OPPONENT, 20)
    assert build(tmp_path).source["iteration"] == 20
    again = build(tmp_path, recorded=first.source)
    assert again.source == first.source
    (tmp_path / uid / "checkpoints" / "000010").rename(tmp_path / "gone")
    moved = build(tmp_path, recorded=first.source)
    assert moved.source["checkpoint"] == f"{uid}/checkpoints/milestones/000010"
    jax.tree.map(np.testing.assert_array_equal, moved.constants, first.constants)


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"iteration": 11}])
def test_a_recorded_opponent_that_is_gone_is_refused(old, change):
    source = {**build(old).source, **change}
    text = refusal(old, recorded=source)
    assert text.startswith(f"this run has played {source['checkpoint']}, which is gone or ")


def test_paths_of_a_recorded_opponent_do_not_lead_out(old):
    source = {**build(old).source, "run": str(Path("..") / old.name)}
    assert "is not a run's uid" in refusal(old, recorded=source)


def test_a_run_from_before_some_key_of_the_game_plays_the_same_game(tmp_path):
    """Its journal says less: what it leaves out has the meaning that it had."""
    reported = resolved(OPPONENT)
    leave_run(
        tmp_path, OPPONENT, 10, spec={**reported, "env": {"kind": "pgx", "id": "tic_tac_toe"}}
    )
    assert build(tmp_path).source["iteration"] == 10
    other = tiny_experiment(name="agent", env={"history": 2})
    assert "its env.history is None" in refusal(tmp_path, experiment=other)


def test_an_opponent_with_a_memory_does_not_search_but_plays(tmp_path):
    """Whatever this spec's other sections ask of its own model."""
    memory = tiny_experiment(
        name="old",
        model={"kind": "mlp", "hidden_dims": [4], "memory": {"kind": "gru", "hidden_size": 4}},
        collect={"num_steps": 4},
        eval={"tree": None},
    )
    leave_run(tmp_path, memory, 10)
    assert build(tmp_path).opponent_network.recurrent
    assert "cannot guide a search" in refusal(tmp_path, search=Search(num_simulations=2))
