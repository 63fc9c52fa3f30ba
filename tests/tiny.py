"""A tiny experiment that trains in a second, for tests to vary."""

from collections.abc import Mapping
from typing import Any

from jaxpot.spec import Experiment, from_resolved

_TINY: dict[str, Any] = {
    "name": "tiny",
    "seed": 42,
    "iterations": 8,
    "env": {"kind": "pgx", "id": "tic_tac_toe"},
    "model": {"kind": "mlp", "hidden_dims": [8]},
    "algorithm": {"kind": "ppo", "num_epochs": 2, "batch_size": 32},
    "optimizer": {"kind": "adamw", "learning_rate": 1e-3, "max_grad_norm": 1.0},
    "collect": {
        "num_steps": 5,
        "selfplay": {"num_envs": 8},
        "random": {"num_envs": 8, "until": 3},
    },
    "eval": {
        "vs_random": {"kind": "random", "every": 4, "num_games": 16},
        "tree": {"kind": "game_tree", "every": 8},
    },
    "checkpoint": {"every": 4},
    "runtime": {"profile_every": 0},
}


def tiny_experiment(*, overrides: Mapping[str, Any] | None = None, **changes: Any) -> Experiment:
    """Return the tiny experiment with top-level `changes` and nested `overrides`.

    In `overrides` tables are merged by key, as `extends` merges them; None removes a key.
    """
    return from_resolved(merged(merged(_TINY, changes), overrides or {}))


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` merged in, table by table; None removes a key."""
    result = dict(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(base.get(key), Mapping):
            result[key] = merged(base[key], value)
        else:
            result[key] = value
    return result
