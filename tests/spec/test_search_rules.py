"""Which searches a spec may ask for, and which of their options say something."""

import pytest

from jaxpot import spec
from jaxpot.spec.faults import SpecError
from tests.tiny import tiny_experiment

ALPHAZERO = {"kind": "alphazero", "batch_size": 8, "num_epochs": None}


def faults(algorithm=None, search=None, **changes):
    """Returns what is wrong with a tiny spec that searches, as (path, code)."""
    changes.setdefault("eval", {"tree": None})
    if algorithm is not None:
        changes["algorithm"] = ALPHAZERO | algorithm
    if search is not None:
        changes["eval"] = changes["eval"] | {"vs_random": {"search": search}}
    try:
        tiny_experiment(overrides=changes)
    except SpecError as error:
        return [(".".join(map(str, fault.path)), fault.code) for fault in error.faults]
    return []


LEAGUE = {"size": 2, "add_every": 2, "base_unit": 8}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"algorithm": {}, "search": {}}, []),
        ({"search": {"policy": "muzero"}}, []),
        ({"algorithm": {"policy": "muzero", "dirichlet_alpha": 0.5}}, []),
        ({"algorithm": {"value_target": "n_step", "n_step": 2}}, []),
        ({"algorithm": {"value_target": "lambda", "td_lambda": 0.0}}, []),
        # A game in which something is drawn, or hidden.
        (
            {"algorithm": {}, "search": {}, "env": {"id": "kuhn_poker"}},
            [
                ("algorithm.kind", "search-unsupported"),
                ("eval.vs_random.search", "search-unsupported"),
            ],
        ),
        (
            {"algorithm": {}, "env": {"id": "backgammon"}},
            [("algorithm.kind", "search-unsupported")],
        ),
        # A model with a memory.
        (
            {"algorithm": {}, "search": {}, "model": {"memory": {"kind": "gru"}}},
            [
                ("algorithm.kind", "needs-feed-forward"),
                ("eval.vs_random.search", "needs-feed-forward"),
            ],
        ),
        (
            {
                "model": {"memory": {"kind": "lstm"}},
                "collect": {"num_steps": 4},
                "eval": {"tree": {}},
            },
            [("eval.tree", "needs-feed-forward")],
        ),
        # Options in vain.
        (
            {
                "algorithm": {
                    "policy": "muzero",
                    "gumbel_scale": 1.0,
                    "max_num_considered_actions": 16,
                }
            },
            [
                ("algorithm.max_num_considered_actions", "unused-option"),
                ("algorithm.gumbel_scale", "unused-option"),
            ],
        ),
        (
            {"algorithm": {"dirichlet_alpha": 0.3, "temperature": 1.0}},
            [
                ("algorithm.dirichlet_alpha", "unused-option"),
                ("algorithm.temperature", "unused-option"),
            ],
        ),
        (
            {"algorithm": {"policy": "muzero", "dirichlet_fraction": 0, "dirichlet_alpha": 1}},
            [("algorithm.dirichlet_alpha", "unused-option")],
        ),
        ({"algorithm": {"n_step": 3}}, [("algorithm.n_step", "unused-option")]),
        (
            {"algorithm": {"value_target": "n_step", "td_lambda": 0.8}},
            [("algorithm.td_lambda", "unused-option")],
        ),
        (
            {"search": {"policy": "muzero", "max_num_considered_actions": 4}},
            [("eval.vs_random.search.max_num_considered_actions", "unused-option")],
        ),
        # Opponents that are not there.
        (
            {"algorithm": {"opponent_acting": "search"}},
            [("algorithm.opponent_acting", "unused-option")],
        ),
        (
            {
                "algorithm": {"opponent_acting": "search"},
                "collect": {"league": {"num_envs": 8}},
                "league": LEAGUE,
            },
            [],
        ),
        (
            {
                "algorithm": {"opponent_acting": "search"},
                "collect": {"selfplay": {"opponent": "target"}},
                "target": {"tau": 0.1},
            },
            [],
        ),
    ],
)
def test_what_is_wrong_with_a_search(changes, expected):
    assert faults(**changes) == expected


def test_options_have_values_where_they_have_an_effect():
    """What is filled in is what is resolved, so that it reads back as the same spec."""
    gumbel, muzero = spec.AlphaZero(), spec.AlphaZero(policy="muzero", value_target="lambda")
    assert (gumbel.max_num_considered_actions, gumbel.gumbel_scale) == (16, 1.0)
    assert (gumbel.temperature, gumbel.dirichlet_fraction, gumbel.n_step) == (None, None, None)
    assert (muzero.max_num_considered_actions, muzero.gumbel_scale) == (None, None)
    assert (muzero.temperature, muzero.dirichlet_fraction, muzero.dirichlet_alpha) == (1, 0.25, 0.3)
    assert (muzero.td_lambda, muzero.n_step) == (0.8, None)
    assert spec.AlphaZero(policy="muzero", dirichlet_fraction=0.0).dirichlet_alpha is None
    for config in (gumbel, muzero):
        experiment = tiny_experiment(
            eval=None,
            algorithm=None,
            overrides={
                "algorithm": {
                    "kind": "alphazero",
                    "policy": config.policy,
                    "value_target": config.value_target,
                    "batch_size": 8,
                }
            },
        )
        assert spec.from_resolved(spec.resolved(experiment)) == experiment


def test_a_minibatch_may_have_rows_of_all_iterations_that_are_kept():
    few = {"collect": {"num_steps": 9, "selfplay": {"num_envs": 2}}}
    kept = {"kind": "alphazero", "batch_size": 64, "replay_iterations": 4}
    assert faults(algorithm=kept, **few) == []
    kept["replay_iterations"] = 3
    assert faults(algorithm=kept, **few) == [("algorithm.batch_size", "batch-too-large")]
