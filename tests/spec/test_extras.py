"""A package that only some specs need is looked for, not imported."""

import sys

from jaxpot.spec import from_resolved, missing_extras
from tests.spec.specs import SMALL

TABLES = {"board": {"kind": "tensorboard"}, "wandb": {}, "jsonl": {}, "mine": {"kind": "a.b:C"}}


def test_all_are_installed_here():
    assert missing_extras(from_resolved({**SMALL, "sinks": TABLES})) == []


def test_what_is_not_installed_is_a_fault(monkeypatch):
    monkeypatch.setattr("jaxpot.spec.registry.find_spec", lambda _: None)
    faults = missing_extras(from_resolved({**SMALL, "sinks": TABLES}))
    assert [str(fault) for fault in faults] == [
        "sinks.board: a sink of kind tensorboard needs tensorboardX, which is not installed; "
        "allowed: `pip install 'jaxpot[tensorboard]'`, or another sink [missing-extra]",
        "sinks.wandb: a sink of kind wandb needs wandb, which is not installed; "
        "allowed: `pip install 'jaxpot[wandb]'`, or another sink [missing-extra]",
    ]


def test_nothing_is_imported():
    before = set(sys.modules)
    missing_extras(from_resolved({**SMALL, "sinks": TABLES}))
    assert not {"tensorboardX", "wandb"} & (set(sys.modules) - before)
