"""The spec reference, `docs/spec.md`, made from the classes."""

import inspect
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs

from jaxpot.spec.configs.collect import (
    ArchiveCollector,
    Collect,
    LeagueCollector,
    RandomCollector,
    SelfplayCollector,
)
from jaxpot.spec.configs.experiment import Expect, Experiment
from jaxpot.spec.configs.league import League, Target
from jaxpot.spec.configs.models import Memory
from jaxpot.spec.configs.runtime import Best, Checkpoint, Debug, Runtime
from jaxpot.spec.fields import Rules, rules_of
from jaxpot.spec.pgx_games import GAMES
from jaxpot.spec.registry import REGISTRIES
from jaxpot.spec.wording import allowed, shown

_INTRODUCTION = """\
# Spec reference

Made from the classes in `jaxpot/spec/` by `python -m jaxpot.spec.reference`; do not edit it by
hand.

A spec is one TOML file. Every key is listed here, and no other is taken. Nothing is converted:
only an integer may stand for a float. A key without a default is required, as is the `kind` of a
table that has kinds. The string `"none"` stands for no value where the table says so, which lets
a spec take back what one that it extends has set. A number is one that float32 holds, in which the
program computes; the bounds of gates and the numbers of sinks are float64.

`extends = "base.toml"`, or a list of files, stands at the top of a file: tables merge, anything
else replaces. `-s path=value` on the command line comes last.

`"none"` in place of an inherited table or array removes it, as if it was never written:
`[eval] vs_random = "none"` in a file that extends another, `-s 'eval.vs_random="none"'` on the
command line, `expect = "none"` for all gates, `-s 'expect.0="none"'` for the first one. What a spec
needs has to be given again (`env`), what has a default has it again (`optimizer`). A removal of
what is not there is refused, and so is an empty table that changes nothing, such as
`-s 'eval={}'`. `jaxpot explain SPEC eval.vs_random` says where it was removed."""

_SCHEDULES = """\
Where a number may be a schedule, a table says how the value goes with the iteration `t`, counted
from 0. For `t < warmup` it is `peak * (t + 1) / warmup`, where `peak` is the first value; after
that, with `p = clip((t - warmup) / (iterations - warmup), 0, 1)`, a linear schedule is
`init + (end - init) * p` and a cosine one `end + (init - end) * (1 + cos(pi * p)) / 2`."""

_SINKS = """\
The name of a table is its kind where it says none: `[sinks.tensorboard]` needs no `kind`, and with
one there can be two of a kind. [Sinks](sinks.md) says what arrives where. Nothing here is part of
the training digest."""

_AUXILIARY = """\
The name of a table is its kind where it says none: `[auxiliary.game_progress]` needs no `kind`. The
loss is logged as `<name>`. [Auxiliary losses](auxiliary.md) says how they train."""

_PHASES = """\
A phase of your own: `kind` names its class, and `after` or `before` names the phase next to it, as
`jaxpot plan` lists them. The other keys are the class's. [Architecture](architecture.md) shows
one."""

_OWN = """\
For an environment, a model, an algorithm, an auxiliary loss, an evaluator, a sink or a phase,
`kind = "package.module:Name"` names an attrs class of your own with a method `build(...)`. The
class's fields are the table's keys, taken as strictly as jaxpot's own. It is imported by `run`,
`resume`, `plan`, `keys` and `check --import` only. [Parts of your own](user-parts.md) shows
one of each, [sinks](sinks.md) a sink, [architecture](architecture.md) a phase."""

_SECTIONS: tuple[tuple[str, type[Any]], ...] = (
    ("Top level", Experiment),
    ("`[model.memory]`", Memory),
    ("`[collect]`", Collect),
    ("`[collect.selfplay]`", SelfplayCollector),
    ("`[collect.random]`", RandomCollector),
    ("`[collect.league]`", LeagueCollector),
    ("`[collect.archive]`", ArchiveCollector),
    ("`[league]`", League),
    ("`[target]`", Target),
    ("`[checkpoint]`", Checkpoint),
    ("`[checkpoint.best]`", Best),
    ("`[[expect]]`", Expect),
    ("`[runtime]`", Runtime),
    ("`[debug]`", Debug),
)

_TITLES = {
    "environment": "`[env]`",
    "model": "`[model]`",
    "algorithm": "`[algorithm]`",
    "auxiliary loss": "`[auxiliary.<name>]`",
    "optimizer": "`[optimizer]`",
    "schedule": "Schedules",
    "evaluator": "`[eval.<name>]`",
    "sink": "`[sinks.<name>]`",
    "phase": "`[phases.<name>]`",
}

_TEXTS = {
    "auxiliary loss": _AUXILIARY,
    "schedule": _SCHEDULES,
    "sink": _SINKS,
    "phase": _PHASES,
}


def reference() -> str:
    """Return the reference as Markdown."""
    blocks = [_INTRODUCTION, *_section(*_SECTIONS[0])]
    for registry in REGISTRIES:
        blocks.append(f"## {_TITLES[registry.name]}")
        if registry.name in _TEXTS:
            blocks.append(_TEXTS[registry.name])
        for row in registry.rows:
            blocks += _section(f'`kind = "{row.kind}"`', row.config, level=3)
        if registry.name == "environment":
            blocks += _games()
    for title, cls in _SECTIONS[1:]:
        blocks += _section(title, cls)
    return "\n\n".join([*blocks, "## Parts of your own", _OWN]) + "\n"


def _section(title: str, cls: type[Any], *, level: int = 2) -> Iterator[str]:
    yield f"{'#' * level} {title}"
    yield inspect.cleandoc(cls.__doc__ or "").partition("\nAttributes:")[0].strip()
    rows = [
        (f"`{field.name}`", allowed(field.type, rules), _default(field), _meaning(rules))
        for field in attrs.fields(cls)
        for rules in (rules_of(field),)
    ]
    yield table(("key", "takes", "default", "meaning"), rows)


def _games() -> Iterator[str]:
    yield "The games, with what their observations are:"
    rows = []
    for name, game in sorted(GAMES.items()):
        shape = f"`{list(game.observation_shape)}` {game.observation_dtype}"
        rows.append((f"`{name}`", shape, str(game.num_actions), str(game.max_steps)))
    yield table(("id", "observation", "actions", "longest game"), rows)


def _default(field: "attrs.Attribute[Any]") -> str:
    value = field.default
    if value is attrs.NOTHING:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(shown, value))}]`"
    if isinstance(value, str | int | float):
        return f"`{shown(value)}`"
    if attrs.has(type(value)):
        return f"`{value.kind}`" if hasattr(value, "kind") else "its defaults"
    return "empty"


def _meaning(rules: Rules) -> str:
    return f"{rules.doc} ({rules.unit})" if rules.unit else rules.doc


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a `|` within a cell is escaped."""
    lines = [_row(columns), "|" + "---|" * len(columns), *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
