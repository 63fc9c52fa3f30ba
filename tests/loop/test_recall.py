"""A game of memory: the recurrent networks learn it, and no other can."""

import numpy as np
import pytest

from jaxpot.spec import from_resolved
from tests.loop.running import rows, train

pytestmark = pytest.mark.slow

LSTM = {"kind": "lstm", "hidden_size": 16}
MLP = {"kind": "mlp", "hidden_dims": [16]}
MODELS = {
    "mlp": MLP,
    "lstm": {**MLP, "memory": LSTM},
    "gru": {**MLP, "memory": {"kind": "gru", "hidden_size": 16}},
    "resnet_lstm": {"kind": "resnet", "num_filters": 8, "num_blocks": 1, "memory": LSTM},
    "transformer_lstm": {
        "kind": "transformer",
        "num_blocks": 1,
        "num_heads": 2,
        "head_dim": 8,
        "memory": LSTM,
    },
}
LAST = 10


@pytest.mark.parametrize("case", MODELS)
def test_what_was_shown_once_is_remembered(case, tmp_path):
    experiment = from_resolved(
        {
            "name": "memory",
            "iterations": 40,
            "env": {"kind": "jaxpot.testing.recall:Recall", "length": 1, "board": True},
            "model": MODELS[case],
            "algorithm": {"kind": "ppo", "num_epochs": 4, "batch_size": 64, "gamma": 1.0},
            "optimizer": {"kind": "adam", "learning_rate": 1e-2},
            # Two games an iteration, against who guesses; the agent has half of the moves.
            "collect": {"num_steps": 8, "random": {"num_envs": 64}},
            "runtime": {"profile_every": 0},
        },
        import_user_code=True,
    )
    found = rows(train(experiment, tmp_path))[-LAST:]
    reward = np.mean([row["train_vs_random/reward"] for row in found])
    # With two cues, memory wins half of the games against a guess; without one nothing is won.
    # A mean over 10 * 128 games has a standard error of 0.02.
    if case == "mlp":
        assert abs(reward) < 0.1
    else:
        assert reward > 0.4
