"""Every field is declared in full, and guards itself where a class is built from Python."""

import attrs
import pytest

from jaxpot.spec import (
    MLP,
    PPO,
    ArchiveCollector,
    Best,
    Checkpoint,
    Collect,
    Constant,
    Debug,
    Expect,
    Experiment,
    League,
    LeagueCollector,
    Memory,
    PgxEnv,
    RandomCollector,
    Runtime,
    SelfplayCollector,
    Target,
)
from jaxpot.spec.fields import rules_of
from jaxpot.spec.registry import REGISTRIES

CLASSES = [
    *(row.config for registry in REGISTRIES for row in registry.rows),
    *(Collect, SelfplayCollector, RandomCollector, LeagueCollector, ArchiveCollector),
    *(Best, Checkpoint, Debug, Expect, Experiment, League, Memory, Runtime, Target),
]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_class_and_field_is_documented(cls):
    assert cls.__doc__ and cls.__doc__.partition("\n")[0].endswith(".")
    for field in attrs.fields(cls):
        assert rules_of(field).doc.endswith("."), field.name


@pytest.mark.parametrize("cls", CLASSES)
def test_every_number_is_bounded_or_free_on_purpose(cls):
    free = {("Expect", "min"), ("Expect", "max"), ("League", "forgotten_margin")}
    for field in attrs.fields(cls):
        rules = rules_of(field)
        if (cls.__name__, field.name) in free or not {int, float} & _scalars(field.type):
            continue
        assert rules.ge is not None or rules.gt is not None, field.name


def _scalars(annotation):
    return {annotation, *getattr(annotation, "__args__", ())}


def test_classes_are_frozen():
    for cls in CLASSES:
        assert cls.__setattr__ is not object.__setattr__


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PPO(gamma=1.5), "PPO.gamma: 1.5 is out of range; allowed: from 0 to 1"),
        (lambda: MLP(hidden_dims=(64, 0)), "MLP.hidden_dims.1: 0 is out of range"),
        (lambda: RandomCollector(num_envs=3), "RandomCollector.num_envs: 3 is not divisible by 2"),
        (lambda: Constant(value=-1.0), "Constant.value: -1.0 is out of range"),
    ],
)
def test_a_broken_rule_raises_from_python_too(build, message):
    with pytest.raises(ValueError, match="is") as error:
        build()
    assert str(error.value).startswith(message)


def test_an_experiment_takes_a_plain_dict_of_evaluators_and_hashes():
    experiment = Experiment(
        name="x",
        iterations=1,
        env=PgxEnv(id="tic_tac_toe"),
        model=MLP(),
        algorithm=PPO(),
        collect=Collect(num_steps=9),
        eval={},
    )
    assert hash(experiment) == hash(attrs.evolve(experiment))
    assert attrs.evolve(experiment, seed=1) != experiment
