"""Structuring: nothing is converted, and every fault is found at once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxpot.spec import ImportedEvaluator, ImportedPart
from jaxpot.spec.resolve import resolved
from jaxpot.spec.scalars import MAX_FAULTS
from jaxpot.spec.structure import structure
from tests.spec.specs import FULL, SMALL, at, changed, experiments, leaves

LEAVES = [path for path, _ in leaves(FULL)]
FOREIGN = st.one_of(
    st.booleans(),
    st.integers(-3, 2**33),
    st.floats(-3, 3),
    st.sampled_from([float("nan"), float("inf"), "false", "3", "none", "", [], {}, [3], ["3"]]),
    st.text(max_size=3),
)


def take(data, import_user_code=False):
    return structure(data, import_user_code=import_user_code)


def found(data, import_user_code=False):
    _, faults, _ = take(data, import_user_code)
    return [(fault.code, fault.path) for fault in faults]


def test_small_and_full_are_taken():
    for data in (SMALL, FULL):
        experiment, faults, imports = take(data)
        assert experiment is not None
        assert (faults, imports) == ([], [])


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(LEAVES), value=FOREIGN)
def test_what_is_taken_is_taken_as_it_is(path, value):
    """A value is refused at its path, or it is in the resolved form; an int may be a float."""
    data = changed(FULL, path, value)
    experiment, faults, _ = take(data)
    if experiment is None:
        assert all(isinstance(fault.message, str) and fault.message for fault in faults)
        return
    if path[-1] == "value_clip" and isinstance(value, bool):
        return
    held = at(resolved(experiment), path)
    assert held == value
    assert type(held) is type(value) or (type(held) is float and type(value) is int)


@settings(max_examples=60, deadline=None)
@given(data=experiments(), pick=st.randoms(use_true_random=False))
def test_an_unknown_key_is_refused_in_every_table(data, pick):
    tables = [path[:-1] for path, _ in leaves(data) if isinstance(path[-1], str)]
    path = (*pick.choice(tables), "Unheard of")
    if path[:-1] == ("eval",):
        return
    assert ("unknown-key", path) in found(changed(data, path, 1))


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("seed",), "42", "wrong-type"),
        (("seed",), -1, "out-of-range"),
        (("seed",), 2**32, "out-of-range"),
        (("seed",), True, "wrong-type"),
        (("iterations",), 3.7, "wrong-type"),
        (("iterations",), 300.0, "wrong-type"),
        (("iterations",), 0, "out-of-range"),
        (("runtime", "deterministic"), "false", "wrong-type"),
        (("runtime", "deterministic"), 1, "wrong-type"),
        (("model", "hidden_dims"), "12", "wrong-type"),
        (("model", "hidden_dims"), 12, "wrong-type"),
        (("algorithm", "gamma"), float("nan"), "not-finite"),
        (("algorithm", "gamma"), float("inf"), "not-finite"),
        (("algorithm", "gamma"), 10**400, "not-finite"),
        (("algorithm", "gamma"), 1.5, "out-of-range"),
        (("algorithm", "clip_eps"), 0, "out-of-range"),
        (("algorithm", "shuffle"), "Epoch", "unknown-choice"),
        (("algorithm", "shuffle"), 1, "wrong-type"),
        (("algorithm", "entropy_coeff"), "0.1", "wrong-type"),
        (("collect", "random"), {"num_envs": 3}, "not-divisible"),
        (("collect", "selfplay"), True, "wrong-type"),
        (("name",), "", "bad-name"),
        (("name",), "a/b", "bad-name"),
        (("name",), "..", "bad-name"),
        (("tags",), ["a", "a"], "duplicate-item"),
        (("tags",), [str(i) for i in range(101)], "out-of-range"),
        (("env",), "tic_tac_toe", "wrong-type"),
        (("env",), {"id": "tic_tac_toe"}, "missing-kind"),
        (("env", "kind"), 3, "wrong-type"),
        (("env", "kind"), "gym", "unknown-kind"),
        (("env", "kind"), "a b:C", "bad-import-path"),
        (("optimizer",), {"kind": "a.b:C"}, "unknown-kind"),
        (("eval",), {"Bad": {"kind": "random", "every": 1, "num_games": 2}}, "bad-name"),
        (("expect",), {"metric": "iter"}, "wrong-type"),
        (("expect",), [3], "wrong-type"),
    ],
)
def test_refusals(path, value, code):
    data = changed({**SMALL, "model": {"kind": "mlp"}}, path, value)
    codes = [each for each, where in found(data) if where[: len(path)] == path]
    assert codes == [code]


def test_an_integer_stands_for_a_float_and_minus_zero_is_zero():
    experiment, *_ = take(changed(changed(SMALL, ("algorithm", "gamma"), 1), ("expect",), []))
    assert type(experiment.algorithm.gamma) is float
    experiment, *_ = take(changed(SMALL, ("algorithm", "value_coeff"), -0.0))
    assert str(experiment.algorithm.value_coeff) == "0.0"


def test_a_boolean_value_clip_becomes_its_number():
    for given_clip, width in ((True, 0.2), (False, 0.0), (0, 0.0), (0.3, 0.3)):
        experiment, *_ = take(changed(SMALL, ("algorithm", "value_clip"), given_clip))
        assert experiment.algorithm.value_clip == width
        assert type(experiment.algorithm.value_clip) is float


def test_every_fault_at_once():
    data = {
        **FULL,
        "sed": 1,
        "iterations": 0.5,
        "model": {"kind": "perceptron"},
        "runtime": {"nproc": 0, "profile_every": "often"},
        "expect": [{"metric": "eval_vs_random/winrate", "min": 0.5}, {"min": 1.0}],
    }
    del data["name"]
    assert sorted(found(data), key=str) == sorted(
        [
            ("unknown-key", ("sed",)),
            ("wrong-type", ("iterations",)),
            ("unknown-kind", ("model", "kind")),
            ("missing-key", ("expect", 1, "metric")),
            ("out-of-range", ("runtime", "nproc")),
            ("wrong-type", ("runtime", "profile_every")),
            ("missing-key", ("name",)),
            ("unknown-metric", ("expect", 0, "metric")),
        ],
        key=str,
    )


def test_no_fault_follows_from_another():
    """A misspelt or refused key says nothing about what its default would break."""
    for key, value in (("batch_sze", 8), ("batch_size", "8")):
        data = {**SMALL, "algorithm": {"kind": "ppo", key: value}}
        assert [path for _, path in found(data)] == [("algorithm", key)]
    data = changed(FULL, ("eval", "vs_random", "every"), "50")
    assert [path for _, path in found(data)] == [("eval", "vs_random", "every")]
    assert [path for _, path in found(changed(FULL, ("algorithm", "kind"), "ppp"))] == [
        ("algorithm", "kind")
    ]


def test_suggestions():
    _, faults, _ = take({**SMALL, "alogrithm": {}, "model": {"kind": "MLP"}})
    assert {fault.path: fault.suggestion for fault in faults} == {
        ("alogrithm",): "algorithm",
        ("model", "kind"): "mlp",
    }


def test_a_table_reports_a_bounded_number_of_faults():
    junk = {f"key{i}": i for i in range(10_000)}
    assert len(found({**SMALL, **junk})) == MAX_FAULTS
    assert len(found({**SMALL, "tags": [1] * 10_000})) == MAX_FAULTS
    assert found({**SMALL, "tags": ["a"] * 10_001}) == [("out-of-range", ("tags",))]


def test_none_takes_back_what_has_no_value():
    data = changed(FULL, ("optimizer", "max_grad_norm"), "none")
    data = changed(changed(data, ("checkpoint", "best"), "none"), ("checkpoint", "every"), "none")
    experiment, *_ = take(data)
    assert experiment.optimizer.max_grad_norm is None
    assert (experiment.checkpoint.best, experiment.checkpoint.every) == (None, None)
    assert found(changed(SMALL, ("seed",), "none")) == [("wrong-type", ("seed",))]


def own(section, table):
    return take(changed(SMALL, section, table), import_user_code=True)


def test_a_users_part_is_kept_as_it_is_without_importing():
    table = {"kind": "no_such_package.games:Nim", "heaps": [3, 4], "deep": {"x": [{"y": 1.5}]}}
    experiment, faults, imports = take({**SMALL, "env": table})
    assert faults == []
    assert imports == ["no_such_package.games:Nim"]
    assert isinstance(experiment.env, ImportedPart)
    assert resolved(experiment)["env"] == table
    assert hash(experiment) == hash(take({**SMALL, "env": table})[0])


def test_a_users_part_is_imported_and_structured_strictly():
    kind = "tests.spec.own_parts:Nim"
    experiment, faults, _ = own(("env",), {"kind": kind, "heaps": [3, 4]})
    assert faults == []
    assert experiment.env.config.heaps == (3, 4)
    without, *_ = take({**SMALL, "env": {"kind": kind, "heaps": [3, 4]}})
    assert resolved(experiment) == resolved(without)
    _, faults, _ = own(("env",), {"kind": kind, "heaps": [3.5], "misere": "no", "heeps": 1})
    assert [(fault.code, fault.path) for fault in faults] == [
        ("unknown-key", ("env", "heeps")),
        ("wrong-type", ("env", "heaps", 0)),
        ("wrong-type", ("env", "misere")),
    ]


def test_a_users_evaluator_has_a_cadence():
    kind = "tests.spec.own_parts:Ladder"
    experiment, faults, _ = own(("eval", "ladder"), {"kind": kind, "every": 5})
    assert faults == []
    assert isinstance(experiment.eval["ladder"], ImportedEvaluator)
    assert experiment.eval["ladder"].every == 5
    for table, code in (({}, "missing-key"), ({"every": 0}, "out-of-range")):
        data = changed(SMALL, ("eval", "ladder"), {"kind": kind, **table})
        assert found(data) == [(code, ("eval", "ladder", "every"))]


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ({"kind": "no_such_package:Net"}, "import-failed"),
        ({"kind": "tests.spec.own_parts:Missing"}, "import-failed"),
        ({"kind": "tests.spec.own_parts:plain"}, "import-class"),
        ({"kind": "decimal:Decimal"}, "import-class"),
        ({"kind": "tests.spec.own_parts:NoBuild"}, "import-class"),
        ({"kind": "tests.spec.own_parts:Picky", "size": 99}, "import-refused"),
        ({"kind": "tests.spec.own_parts:Picky", "odd": 1}, "import-refused"),
        ({"kind": "tests.spec.own_parts:Picky", "size": "x"}, "wrong-type"),
    ],
)
def test_users_parts_that_cannot_be_used(table, code):
    _, faults, _ = own(("model",), table)
    assert [fault.code for fault in faults] == [code]
    assert faults[0].path[0] == "model"


def test_tables_of_users_parts_hold_what_json_can():
    deep = {}
    for _ in range(100):
        deep = {"a": deep}
    for value, code in ((float("nan"), "not-finite"), (deep, "toml-nesting")):
        data = changed(SMALL, ("model",), {"kind": "a:B", "x": value})
        assert [code for code, _ in found(data)] == [code]
