"""The reference of the payload, `docs/payload.md`, made from what declares its keys."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from jaxpot.loop.phases import compile_graph
from jaxpot.spec import (
    ArchiveCollector,
    ArchiveEvaluator,
    Collect,
    Experiment,
    League,
    LeagueCollector,
    PayloadKey,
    PgxEnv,
    RandomCollector,
    SelfplayCollector,
    Target,
)
from jaxpot.spec.configs.alphazero import AlphaZero
from jaxpot.spec.configs.auxiliary import auxiliary_keys
from jaxpot.spec.configs.models import MLP
from jaxpot.spec.configs.runtime import Runtime
from jaxpot.spec.fields import rules_of
from jaxpot.spec.markdown import table
from jaxpot.spec.payload import (
    collect_keys,
    evaluation_time,
    evaluator_keys,
    evaluator_prefix,
    league_keys,
    loop_keys,
    timing_keys,
)
from jaxpot.spec.registry import REGISTRIES, Row, part_keys
from jaxpot.spec.windows import ARCHIVE_ACTIVE, CONDITIONS, collector_windows, evaluator_start

_INTRODUCTION = """\
# Payload

Made from the classes by `python -m jaxpot.loop.payload_reference`; do not edit it by hand.

Every iteration leaves one row of numbers, its payload. Each key is declared once, with its type,
its unit and the iterations on which it is there, by the phase that emits it. An iteration whose
payload has a key too many or too few stops the run. `jaxpot plan SPEC` lists the keys of one spec,
and any of them can drive `checkpoint.best` and `[[expect]]`. Where a key's presence depends on how
the run goes, as it does on which archived opponents were forgotten, a gate on it has `at = "any"`
or `at = "best"`.

Iterations `t` count from 0. "every `n`" is where `(t + 1) % n == 0`. The order here is by what
declares the keys, not that of a payload.

An `int` is exact. A `float` was computed as float32 on the device, but for wall-clock ones, which
are measured by the host. Rates and mean returns over no finished game are NaN, which the journal
writes as the string `"NaN"`. Keys that are marked as wall clock differ from run to run; two runs of
a spec share all others bit for bit ([determinism](determinism.md)). Histograms, such as how often
an evaluated agent chose each action, and the league's standings are not keys: the store has tables
of them."""

_PHASES = """\
In the order of an iteration; collectors and evaluators only where the spec has them. `device`
phases are compiled, and an evaluator is a program of its own; [architecture](architecture.md) has
more."""

_LEAGUE_TEXT = """\
The counts are those that the iteration began with: its own copy of the agent is taken when it is
over. The league takes the first one as soon as random warm-up is over and the league is empty, so
`[collect.league]` is there from the next iteration on. The archive has its first entry when the
full league takes one more; an evaluator of kind `archive` runs from then on. At those evaluations,
and at no other time, entries of the archive become active or cease to be: `[collect.archive]` is
there, from the next iteration on, while one is. `jaxpot plan SPEC` has the numbers."""

_EVALUATION_TIMES = "An evaluator's time is there where the evaluator's other keys are."

_OWN = """\
The class of an evaluator or an algorithm of your own declares its keys by a method
`payload_keys(prefix)` ([parts of your own](user-parts.md)); a phase of your own has them in
`Phase.keys` ([architecture](architecture.md#a-phase-of-your-own))."""

_NAME = "name"
_SHOWN = "<name>"

# Numbers that stand for the spec's keys, so that a key's cadence and window tell what it follows.
_EVALUATION, _PROFILE, _UNTIL = 2, 3, 5
_CADENCE = {
    1: "every iteration",
    _EVALUATION: f"every `eval.{_SHOWN}.every`",
    _PROFILE: "every `runtime.profile_every`",
}

_COLLECT = Collect(
    num_steps=1,
    selfplay=SelfplayCollector(num_envs=1),
    random=RandomCollector(num_envs=2, until=_UNTIL),
    league=LeagueCollector(num_envs=2),
    archive=ArchiveCollector(num_envs=2),
)
_LEAGUE = League(size=2, add_every=7, base_unit=2)
_ARCHIVE = ArchiveEvaluator(every=_EVALUATION, num_games=2)
_WINDOWS = collector_windows(_COLLECT, _LEAGUE, {_NAME: _ARCHIVE})

_WINDOW = {
    (0, None, None): "",
    (0, _UNTIL, None): ", while `t < collect.random.until`",
    (_WINDOWS["league"].start, None, None): ", from the league's first entry on",
    (evaluator_start(_ARCHIVE, _COLLECT, _LEAGUE), None, None): (
        ", from the archive's first entry on"
    ),
    attrs.astuple(_WINDOWS["archive"]): f", {CONDITIONS[ARCHIVE_ACTIVE]}",
}


def reference() -> str:
    rows = {registry.name: registry.rows for registry in REGISTRIES}
    blocks = [_INTRODUCTION, "## Phases", _PHASES, _phases()]
    blocks += _section("Every run", loop_keys())
    for row in rows["algorithm"]:
        blocks += _section(f'`[algorithm]`, `kind = "{row.kind}"`', _keys(row, ""))
    blocks += _section(f"`[auxiliary.{_SHOWN}]`", auxiliary_keys({_SHOWN: None}))
    blocks += [*_section("`[league]`", league_keys(_LEAGUE)), _LEAGUE_TEXT]
    for key in collect_keys(_WINDOWS):
        blocks += _section(f"`[{key.phase.replace('_', '.')}]`", [key])
    for row in rows["evaluator"]:
        title = f'`[eval.{_SHOWN}]`, `kind = "{row.kind}"`'
        blocks += _section(title, _evaluator_keys(_example(row)))
    blocks += [*_section("Times", timings()), _EVALUATION_TIMES]
    return "\n\n".join([*blocks, "## Keys of your own parts and phases", _OWN]) + "\n"


def timings() -> tuple[PayloadKey, ...]:
    """Return the keys of the times that a run with everything has."""
    return (*timing_keys(_WINDOWS, _PROFILE), evaluation_time(_SHOWN, _EVALUATION))


def _phases() -> str:
    graph = compile_graph(
        Experiment(
            name="any",
            iterations=_UNTIL + 1,
            env=PgxEnv(id="tic_tac_toe"),
            model=MLP(),
            algorithm=AlphaZero(replay_iterations=2),
            collect=_COLLECT,
            league=_LEAGUE,
            target=Target(tau=1.0),
            eval={_NAME: _ARCHIVE},
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
            _CADENCE[key.every] + _WINDOW[key.start, key.until, key.when],
            f"`{key.phase}`",
            f"{key.doc} Wall clock." if key.wall_clock else key.doc,
        )
        for key in keys
    ]
    yield table(("key", "type", "unit", "present", "phase", "meaning"), rows)


def _keys(row: Row, prefix: str) -> tuple[PayloadKey, ...]:
    return part_keys(_example(row), prefix) or ()


def _evaluator_keys(evaluator: Any) -> tuple[PayloadKey, ...]:
    start = evaluator_start(evaluator, _COLLECT, _LEAGUE)
    return (evaluator_keys(_SHOWN, evaluator, start) or ())[:-1]


def _example(row: Row) -> Any:
    """Make a config of a kind, with the least value of everything that has no default."""
    required = [field for field in attrs.fields(row.config) if field.default is attrs.NOTHING]
    values = {field.name: _NAME if field.type is str else rules_of(field).ge for field in required}
    return row.config(**(values | ({"every": _EVALUATION} if "every" in values else {})))


if __name__ == "__main__":
    sys.stdout.write(reference())
