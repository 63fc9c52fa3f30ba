"""The rules across fields: what each says, and that none says a word too much."""

import pytest

from jaxpot.spec import Experiment, validate
from jaxpot.spec.structure import structure
from tests.spec.specs import FULL, SMALL, changed

LEAGUE = {**SMALL, "league": {"size": 2, "add_every": 5}}
ARCHIVE = {"kind": "archive", "every": 2, "num_games": 4}

CHANGES = {
    "unknown game": (SMALL, ("env", "id"), "tic_tac_to"),
    "one player": (SMALL, ("env", "id"), "2048"),
    "three players": (SMALL, ("env", "id"), "sparrow_mahjong"),
    "a resnet without a board": (
        changed(
            changed(FULL, ("eval", "tree"), {"kind": "random", "every": 9, "num_games": 2}),
            ("checkpoint", "best"),
            "none",
        ),
        ("env", "id"),
        "kuhn_poker",
    ),
    "a tree too large": (FULL, ("env", "id"), "connect_four"),
    "a tree over the limit": (FULL, ("eval", "tree", "max_positions"), 5477),
    "no tree": (changed(FULL, ("model",), {"kind": "mlp"}), ("env", "id"), "kuhn_poker"),
    "no collector": (SMALL, ("collect",), {"num_steps": 9}),
    "random ends": (SMALL, ("collect",), {"num_steps": 9, "random": {"num_envs": 2, "until": 9}}),
    "too many rows": (SMALL, ("collect", "num_steps"), 10**9),
    "batch size": (SMALL, ("algorithm", "batch_size"), 37),
    "batch size after random": (FULL, ("algorithm", "batch_size"), 37),
    "random rows": (SMALL, ("collect",), {"num_steps": 3, "random": {"num_envs": 2}}),
    "warm-up of the entropy": (FULL, ("algorithm", "entropy_coeff", "warmup"), 100),
    "warm-up of the rate": (
        SMALL,
        ("optimizer",),
        {
            "kind": "adam",
            "learning_rate": {
                "kind": "linear",
                "init": 1,
                "end": 0,
                "iterations": 2,
                "warmup": 3,
            },
        },
    ),
    "a schedule at zero": (
        SMALL,
        ("optimizer",),
        {"kind": "adam", "learning_rate": {"kind": "constant", "value": 0}},
    ),
    "league without one": (SMALL, ("collect", "league"), {"num_envs": 64}),
    "archive without a league": (SMALL, ("collect", "archive"), {"num_envs": 64}),
    "everything without a league": (FULL, ("league",), "none"),
    "evaluation without a league": (SMALL, ("eval", "old"), ARCHIVE),
    "nobody recalls": (LEAGUE, ("collect", "archive"), {"num_envs": 64}),
    "nobody recalls what is not there": (
        changed(LEAGUE, ("collect", "archive"), {"num_envs": 64}),
        ("league", "archive_size"),
        0,
    ),
    "an evaluated archive of none": (
        changed(LEAGUE, ("eval", "old"), ARCHIVE),
        ("league", "archive_size"),
        0,
    ),
    "an archive of none": (FULL, ("league", "archive_size"), 0),
    "half a group": (LEAGUE, ("collect", "league"), {"num_envs": 32}),
    "a group and a half": (FULL, ("league", "base_unit"), 6),
    "an odd group": (FULL, ("league", "base_unit"), 3),
    "no group": (FULL, ("collect", "archive", "num_envs"), 0),
    "no target": (FULL, ("target",), "none"),
    "an odd number against the target": (FULL, ("collect", "selfplay", "num_envs"), 5),
    "only the league": (
        LEAGUE,
        ("collect",),
        {"num_steps": 9, "league": {"num_envs": 64}},
    ),
    "the league after a warm-up": (
        LEAGUE,
        ("collect",),
        {"num_steps": 9, "league": {"num_envs": 64}, "random": {"num_envs": 2, "until": 9}},
    ),
    "rows against everybody": (
        LEAGUE,
        ("collect",),
        {"num_steps": 9, "selfplay": {"num_envs": 2}, "league": {"num_envs": 2**28}},
    ),
    "no such selector": (FULL, ("eval", "rival", "checkpoint"), "lates"),
    "a milestone without a number": (FULL, ("eval", "rival", "checkpoint"), "milestone:"),
    "an opponent without a name": (FULL, ("eval", "rival", "run"), ""),
    "what was refused is not asked for": (FULL, ("target", "tau"), 0),
    "nor of the league": (FULL, ("league", "size"), 0),
    "nor of its evaluator": (FULL, ("eval", "archive", "every"), 0),
    "nesterov": (FULL, ("optimizer", "momentum"), 0),
    "two devices": (SMALL, ("runtime", "devices"), 2),
}


def test_rules(snapshot):
    found = {}
    for name, (base, path, value) in CHANGES.items():
        _, faults, _ = structure(changed(base, path, value), import_user_code=False)
        found[name] = [str(fault) for fault in faults]
    assert found == snapshot


@pytest.mark.parametrize(
    ("base", "path", "value"),
    [
        (FULL, ("algorithm", "batch_size"), 20),
        (FULL, ("collect", "league", "num_envs"), 2),
        (FULL, ("league", "archive_size"), 1),
        (changed(LEAGUE, ("league", "archive_size"), 0), ("collect", "league"), {"num_envs": 64}),
        (LEAGUE, ("target",), {"tau": 1}),
        (SMALL, ("collect", "selfplay"), {"num_envs": 3, "opponent": "live"}),
        (FULL, ("eval", "tree", "max_positions"), 5478),
        (FULL, ("algorithm", "entropy_coeff", "warmup"), 99),
        (SMALL, ("collect",), {"num_steps": 9, "random": {"num_envs": 2, "until": 10}}),
        (changed(SMALL, ("iterations",), 9), ("collect", "random"), {"num_envs": 2, "until": 1}),
    ],
)
def test_the_edge_of_a_rule_is_allowed(base, path, value):
    experiment, faults, _ = structure(changed(base, path, value), import_user_code=False)
    assert faults == []
    assert isinstance(experiment, Experiment)
    assert validate(experiment) == []


def test_a_users_own_parts_are_not_second_guessed():
    data = changed(FULL, ("env",), {"kind": "my.games:Nim"})
    assert structure(data, import_user_code=False)[1] == []
    data = changed(FULL, ("algorithm",), {"kind": "my.algorithms:A2C"})
    data = changed(data, ("expect",), [{"metric": "whatever", "min": 0}])
    assert structure(data, import_user_code=False)[1] == []
