"""The reference of the payload, `docs/payload.md`, made from what declares its keys."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from jaxpot.graph.compile import compile_graph
from jaxpot.spec import Collect, Experiment, PayloadKey, PgxEnv, RandomCollector, SelfplayCollector
from jaxpot.spec.collect import collect_keys
from jaxpot.spec.fields import rules_of
from jaxpot.spec.markdown import table
from jaxpot.spec.models import MLP
from jaxpot.spec.payload import evaluation_time, evaluator_prefix, loop_keys, timing_keys
from jaxpot.spec.registry import REGISTRIES, Row, part_keys
from jaxpot.spec.runtime import Runtime

_INTRODUCTION = """\
# Payload

Made from the classes by `python -m jaxpot.graph.reference`; do not edit it by hand.

Every iteration leaves one row of numbers, its payload. Each key is declared once, with its type,
its unit and the iterations on which it is there, by the phase that emits it. An iteration whose
payload has a key too many or too few stops the run. `jaxpot plan SPEC` lists the keys of one spec,
and any of them can drive `checkpoint.best` and `[[expect]]`.

Iterations `t` count from 0. "every `n`" is where `(t + 1) % n == 0`. The order here is by what
declares the keys, not that of a payload.

An `int` is exact. A `float` was computed as float32 on the device, but for wall-clock ones, which
are measured by the host. Rates over no finished game are NaN, which the journal writes as the
string `"NaN"`. Keys that are marked as wall clock differ from run to run; two runs of a spec share
all others bit for bit ([determinism](determinism.md)). Histograms, such as how often an evaluated
agent chose each action, are not keys: the store has a table of them."""

_PHASES = """\
In the order of an iteration; collectors and evaluators only where the spec has them. `device`
phases are compiled, and an evaluator is a program of its own; [architecture](architecture.md) has
more."""

_OWN = """\
The class of an evaluator or an algorithm of your own declares its keys by a method
`payload_keys(prefix)` ([parts of your own](user-parts.md)); a phase of your own has them in
`Phase.keys` ([architecture](architecture.md#a-phase-of-your-own))."""

_NAME = "name"
_SHOWN = "<name>"

# Numbers that stand for the spec's keys, so that a key's cadence tells which of them it follows.
_EVALUATION, _PROFILE, _UNTIL = 2, 3, 5
_CADENCE = {
    1: "every iteration",
    _EVALUATION: f"every `eval.{_SHOWN}.every`",
    _PROFILE: "every `runtime.profile_every`",
}
_WINDOW = {None: "", _UNTIL: ", while `t < collect.random.until`"}

_COLLECT = Collect(
    num_steps=1,
    selfplay=SelfplayCollector(num_envs=1),
    random=RandomCollector(num_envs=2, until=_UNTIL),
)


def reference() -> str:
    """Returns the reference as Markdown."""
    rows = {registry.name: registry.rows for registry in REGISTRIES}
    blocks = [_INTRODUCTION, "## Phases", _PHASES, _phases(rows)]
    blocks += _section("Every run", loop_keys())
    for row in rows["algorithm"]:
        blocks += _section(f'`[algorithm]`, `kind = "{row.kind}"`', _keys(row, ""))
    blocks += _section("`[collect.random]`", collect_keys(_COLLECT))
    for row in rows["evaluator"]:
        keys = _keys(row, evaluator_prefix(_SHOWN))
        blocks += _section(f'`[eval.{_SHOWN}]`, `kind = "{row.kind}"`', keys)
    blocks += _section("Times", timings())
    return "\n\n".join([*blocks, "## Keys of your own parts and phases", _OWN]) + "\n"


def timings() -> tuple[PayloadKey, ...]:
    """Returns the keys of the times that a run with everything has."""
    return (*timing_keys(_COLLECT, _PROFILE), evaluation_time(_SHOWN, _EVALUATION))


def _phases(rows: Mapping[str, Sequence[Row]]) -> str:
    graph = compile_graph(
        Experiment(
            name="any",
            iterations=_UNTIL + 1,
            env=PgxEnv(id="tic_tac_toe"),
            model=MLP(),
            algorithm=_example(rows["algorithm"][0]),
            collect=_COLLECT,
            eval={_NAME: _example(rows["evaluator"][0])},
            runtime=Runtime(profile_every=_PROFILE),
        )
    )
    own = evaluator_prefix(_NAME)
    cells = [
        (
            f"`{evaluator_prefix(_SHOWN) if phase.name == own else phase.name}`",
            phase.where,
            "Evaluates the agent." if phase.name == own else phase.doc,
        )
        for phase in graph.phases
    ]
    return table(("phase", "where", "what it does"), cells)


def _section(title: str, keys: Iterable[PayloadKey]) -> Iterator[str]:
    yield f"## {title}"
    rows = [
        (
            f"`{key.name}`",
            key.dtype,
            key.unit or "-",
            _CADENCE[key.every] + _WINDOW[key.until],
            f"`{key.phase}`",
            f"{key.doc} Wall clock." if key.wall_clock else key.doc,
        )
        for key in keys
    ]
    yield table(("key", "type", "unit", "present", "phase", "meaning"), rows)


def _keys(row: Row, prefix: str) -> tuple[PayloadKey, ...]:
    return part_keys(_example(row), prefix) or ()


def _example(row: Row) -> Any:
    """Makes a config of a kind, with the least value of everything that has no default."""
    required = [field for field in attrs.fields(row.config) if field.default is attrs.NOTHING]
    values = {field.name: rules_of(field).ge for field in required}
    return row.config(**(values | ({"every": _EVALUATION} if "every" in values else {})))


if __name__ == "__main__":
    sys.stdout.write(reference())
