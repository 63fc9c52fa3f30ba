"""Compiled programs shared between the runs of a test session that compute the same."""

import attrs
import jax
import pytest

from jaxpot.loop import train as training
from jaxpot.loop.programs import Programs
from jaxpot.spec import Checkpoint, resolved, to_json
from tests.compiled import SHARED

_COMPILED = "/jax/core/compile/backend_compile_duration"
# What no program depends on: the seed is an argument, and the rest is the host's business.
_BESIDE = {
    "name": "any",
    "description": "",
    "tags": (),
    "seed": 0,
    "expect": (),
    "sinks": {},
    "debug": None,
    "checkpoint": Checkpoint(),
}


@pytest.fixture
def shared_programs(monkeypatch):
    """Lets a run reuse what an earlier one compiled for an equal graph and equal parts."""

    def reuse(graph, context, on_compile):
        same = to_json(resolved(attrs.evolve(context.experiment, **_BESIDE))) + repr(graph)
        programs = SHARED.setdefault(same, Programs(graph, context, on_compile))
        programs.on_compile = on_compile
        return programs

    monkeypatch.setattr(training, "Programs", reuse)


@pytest.fixture
def compiles():
    """Lists every program that jax compiles or fetches from its cache."""
    seen = []

    def listen(event, seconds, *, fun_name="", **_):
        del seconds
        if event == _COMPILED:
            seen.append(fun_name.removeprefix("jit(").removesuffix(")"))

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)
