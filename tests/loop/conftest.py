"""Compiled programs shared between the runs of a test session that compute the same."""

import attrs
import pytest

from jaxpot.loop import session
from jaxpot.loop.programs import Programs
from jaxpot.spec import Checkpoint, resolved, to_json

_SHARED: dict[str, Programs] = {}
# What no program depends on: the seed is an argument, and the rest is the host's business.
_BESIDE = {
    "name": "any",
    "description": "",
    "tags": (),
    "seed": 0,
    "expect": (),
    "checkpoint": Checkpoint(),
}


@pytest.fixture
def shared_programs(monkeypatch):
    """Lets a run reuse what an earlier one compiled for an equal graph and equal parts."""

    def reuse(graph, context, on_compile):
        same = to_json(resolved(attrs.evolve(context.experiment, **_BESIDE)))
        programs = _SHARED.setdefault(same, Programs(graph, context, on_compile))
        programs.on_compile = on_compile
        return programs

    monkeypatch.setattr(session, "Programs", reuse)
