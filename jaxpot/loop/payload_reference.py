"""Print `docs/payload.md`: fill `payload_reference.md` in with the declared payload keys."""

import sys
from collections.abc import Iterable
from importlib import resources
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
from jaxpot.spec.payload import (
    ARCHIVE_ACTIVE,
    CONDITIONS,
    collect_keys,
    collector_windows,
    evaluation_time,
    evaluator_keys,
    evaluator_prefix,
    evaluator_start,
    league_keys,
    loop_keys,
    timing_keys,
)
from jaxpot.spec.reference import table
from jaxpot.spec.registry import REGISTRIES, Row, part_keys

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
    attrs.astuple(_WINDOWS["archive"])[1:]: f", {CONDITIONS[ARCHIVE_ACTIVE]}",
}


def reference() -> str:
    rows = {registry.name: registry.rows for registry in REGISTRIES}
    template = resources.files("jaxpot.loop").joinpath("payload_reference.md")
    return template.read_text(encoding="utf-8").format(
        phases=_phases(),
        every_run=_section("Every run", loop_keys()),
        algorithms=_sections(
            (f'`[algorithm]`, `kind = "{row.kind}"`', part_keys(_example(row), "") or ())
            for row in rows["algorithm"]
        ),
        auxiliary=_section(f"`[auxiliary.{_SHOWN}]`", auxiliary_keys({_SHOWN: None})),
        league=_section("`[league]`", league_keys(_LEAGUE)),
        collectors=_sections(
            (f"`[{key.phase.replace('_', '.')}]`", [key]) for key in collect_keys(_WINDOWS)
        ),
        evaluators=_sections(
            (f'`[eval.{_SHOWN}]`, `kind = "{row.kind}"`', _evaluator_keys(_example(row)))
            for row in rows["evaluator"]
        ),
        times=_section("Times", timings()),
    )


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


def _sections(titled: Iterable[tuple[str, Iterable[PayloadKey]]]) -> str:
    return "\n\n".join(_section(title, keys) for title, keys in titled)


def _section(title: str, keys: Iterable[PayloadKey]) -> str:
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
    header = ("key", "type", "unit", "present", "phase", "meaning")
    return f"## {title}\n\n{table(header, rows)}"


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
