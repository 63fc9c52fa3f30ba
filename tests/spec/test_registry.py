"""One row a kind: the unions are the registries, and what a row names is there."""

from typing import get_args

import pytest

from jaxpot.errors import UserError
from jaxpot.spec import (
    AlgorithmConfig,
    AuxiliaryConfig,
    EnvConfig,
    Evaluator,
    ImportedPart,
    ModelConfig,
    OptimizerConfig,
    Schedule,
    SinkConfig,
    from_resolved,
    implementation,
)
from jaxpot.spec.configs.parts import ImportedPhase
from jaxpot.spec.registry import REGISTRIES, registry_of
from tests.spec.specs import SMALL, changed

UNIONS = {
    "environment": EnvConfig,
    "model": ModelConfig,
    "algorithm": AlgorithmConfig,
    "auxiliary loss": AuxiliaryConfig,
    "optimizer": OptimizerConfig,
    "schedule": Schedule,
    "evaluator": Evaluator,
    "sink": SinkConfig,
    "phase": ImportedPhase,
}


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.name)
def test_a_union_is_its_registry(registry):
    union = UNIONS[registry.name]
    assert frozenset(get_args(union) or (union,)) == registry.classes
    assert registry_of(registry.classes) is registry
    assert len(registry.by_kind) == len(registry.rows)


@pytest.mark.parametrize(
    "row", [row for registry in REGISTRIES for row in registry.rows], ids=lambda row: row.kind
)
def test_every_implementation_is_there(row):
    config = row.config.__new__(row.config)
    assert callable(implementation(config))


def test_a_users_part_is_built_by_its_class():
    data = changed(SMALL, ("env",), {"kind": "tests.spec.own_parts:Nim", "heaps": [1, 2]})
    env = from_resolved(data, import_user_code=True).env
    built, args, options = implementation(env)(env, x=1)
    assert built is env.config
    assert (args, options) == ((), {"x": 1})


def test_a_users_part_that_was_not_imported_cannot_be_built():
    with pytest.raises(UserError, match="a:B was not imported"):
        implementation(ImportedPart(kind="a:B"))
