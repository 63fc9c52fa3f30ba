"""A table's kind is one of the registry's, an import path, or refused."""

import pytest

from jaxpot.spec.registry import REGISTRIES
from jaxpot.spec.scalars import Rejected, kind_of

MODELS = next(registry for registry in REGISTRIES if registry.name == "model")
SCHEDULES = next(registry for registry in REGISTRIES if registry.name == "schedule")


def test_kinds_are_known_or_import_paths():
    assert kind_of({"kind": "mlp"}, MODELS) == "mlp"
    assert kind_of({"kind": "a.b:C"}, MODELS) == "a.b:C"


@pytest.mark.parametrize(
    ("table", "registry", "code"),
    [
        ({}, MODELS, "missing-kind"),
        ({"kind": 3}, MODELS, "wrong-type"),
        ({"kind": "mpl"}, MODELS, "unknown-kind"),
        ({"kind": "a.b:"}, MODELS, "bad-import-path"),
        ({"kind": "../a:B"}, MODELS, "bad-import-path"),
        ({"kind": "a.b:C"}, SCHEDULES, "unknown-kind"),
    ],
)
def test_refusals(table, registry, code):
    with pytest.raises(Rejected) as rejected:
        kind_of(table, registry)
    assert [(fault.code, fault.path) for fault in rejected.value.faults] == [(code, ("kind",))]
