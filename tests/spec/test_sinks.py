"""Tables of sinks: the name gives the kind, and what is wrong is said as anywhere else."""

import pytest

from jaxpot.spec import JsonLines, SpecError, TensorBoard, WandB, from_resolved, resolved
from jaxpot.spec.structure import structure_sink
from tests.spec.specs import SMALL
from tests.spec.test_schema import VALIDATOR


def sinks(tables):
    return dict(from_resolved({**SMALL, "sinks": tables}).sinks)


def test_a_table_is_of_the_kind_that_it_is_called():
    found = sinks({"tensorboard": {}, "wandb": {"project": "p"}, "jsonl": {"folder": "x"}})
    assert found == {
        "tensorboard": TensorBoard(),
        "wandb": WandB(project="p"),
        "jsonl": JsonLines(folder="x"),
    }


def test_with_a_kind_there_are_two_of_one():
    tables = {"jsonl": {}, "second": {"kind": "jsonl"}, "wandb": {"kind": "jsonl"}}
    assert set(sinks(tables).values()) == {JsonLines()}
    assert VALIDATOR.is_valid({**SMALL, "sinks": tables})


def test_the_resolved_form_says_the_kind():
    experiment = from_resolved({**SMALL, "sinks": {"jsonl": {}}})
    assert resolved(experiment)["sinks"] == {"jsonl": {"kind": "jsonl", "folder": "none"}}


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"tensorbord": {}}, r"sinks\.tensorbord\.kind: missing; allowed: \"tensorboard\""),
        ({"jsonl": {"foldr": ""}}, r"sinks\.jsonl\.foldr: unknown key; did you mean 'folder'"),
        ({"wandb": {"mode": "of"}}, r"sinks\.wandb\.mode: \"of\" is not a choice"),
        ({"x": {"kind": "csv"}}, r"sinks\.x\.kind: \"csv\" is no kind of sink"),
        ({"My": {"kind": "jsonl"}}, r"sinks\.My: \"My\" is not a usable name"),
        ({"jsonl": 3}, r"sinks\.jsonl: 3 is an integer"),
    ],
)
def test_faults(tables, message):
    with pytest.raises(SpecError, match=message):
        sinks(tables)
    assert not VALIDATOR.is_valid({**SMALL, "sinks": tables})


def test_one_sink_by_itself():
    assert structure_sink("jsonl", {"folder": "x"}) == JsonLines(folder="x")
    own = structure_sink("mine", {"kind": "tests.spec.own_parts:Picky", "size": 3})
    assert own.config.size == 3
    with pytest.raises(SpecError, match=r"sinks\.mine\.kind: nowhere does not import"):
        structure_sink("mine", {"kind": "nowhere:Sink"})
