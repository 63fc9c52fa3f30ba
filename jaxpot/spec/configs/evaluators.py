"""Configs of evaluators, and the payload keys that they emit."""

from typing import Any, ClassVar

import attrs

from jaxpot.spec.configs.alphazero import Search
from jaxpot.spec.configs.parts import ImportedEvaluator
from jaxpot.spec.fields import INT32_MAX, RUN, SELECTOR, option
from jaxpot.spec.keys import PayloadKey

_EVERY = "Iterations between evaluations."


@attrs.frozen(kw_only=True)
class RandomEvaluator:
    """Plays games against uniformly random moves, moving first in half of them."""

    kind: ClassVar[str] = "random"

    every: int = option(ge=1, le=INT32_MAX, unit="iterations", doc=_EVERY)
    num_games: int = option(
        ge=2, le=INT32_MAX, multiple_of=2, unit="games", doc="Games played per evaluation."
    )
    greedy: bool = option(
        default=True, doc="Whether the network plays its likeliest move or samples."
    )
    search: Search | None = option(
        default=None, later=True, doc="A search that plays in the network's place; absent is none."
    )


@attrs.frozen(kw_only=True)
class GameTreeEvaluator:
    """Plays the greedy network against every legal move and counts the final positions reached.

    A position that several orders of moves lead to counts once.

    Only for a deterministic game of perfect information whose positions fit in `max_positions`.
    """

    kind: ClassVar[str] = "game_tree"

    every: int = option(ge=1, le=INT32_MAX, unit="iterations", doc=_EVERY)
    max_positions: int = option(
        default=100_000, ge=1, le=INT32_MAX, unit="positions", doc="Largest game tree to follow."
    )


@attrs.frozen(kw_only=True)
class ArchiveEvaluator:
    """Plays against every archived entry of the league and updates their scores.

    It decides which of them are forgotten, and so are played again by `[collect.archive]`. There
    is none before the league has archived its first entry.
    """

    kind: ClassVar[str] = "archive"

    every: int = option(ge=1, le=INT32_MAX, unit="iterations", doc=_EVERY)
    num_games: int = option(
        ge=2, le=INT32_MAX, multiple_of=2, unit="games", doc="Games played against each entry."
    )
    greedy: bool = option(
        default=False, doc="Whether both networks play their likeliest moves or sample."
    )
    search: Search | None = option(
        default=None,
        later=True,
        doc="Searches that play in both networks' place, each guided by its own; absent is none.",
    )


@attrs.frozen(kw_only=True)
class CheckpointEvaluator:
    """Plays against the network of another run's checkpoint, and says how many Elo points apart.

    The other run is of the same game; its network may have another form.
    """

    kind: ClassVar[str] = "checkpoint"

    every: int = option(ge=1, le=INT32_MAX, unit="iterations", doc=_EVERY)
    num_games: int = option(
        ge=2, le=INT32_MAX, multiple_of=2, unit="games", doc="Games played per evaluation."
    )
    run: str = option(
        name=RUN,
        doc="The opponent's run: its uid, the start of one, or a name or tag, for the newest.",
    )
    checkpoint: str = option(
        default="latest",
        name=SELECTOR,
        doc='Which of its checkpoints: `"latest"`, `"best"`, `"milestone:N"` or `"N"`, where N is '
        "iterations done.",
    )
    greedy: bool = option(
        default=False, doc="Whether both networks play their likeliest moves or sample."
    )
    search: Search | None = option(
        default=None,
        later=True,
        doc="Searches that play in both networks' place, each guided by its own; absent is none.",
    )


Evaluator = (
    RandomEvaluator | GameTreeEvaluator | ArchiveEvaluator | CheckpointEvaluator | ImportedEvaluator
)

_SEATS = (("", ""), ("p0/", ", moving first"), ("p1/", ", moving second"))
_RATES = (
    ("win_rate", "fraction", "Games won, of those finished"),
    ("lose_rate", "fraction", "Games lost, of those finished"),
    ("draw_rate", "fraction", "Games drawn, of those finished"),
    ("avg_reward", "reward", "Mean return of the games finished"),
    ("done_rate", "fraction", "Games finished, of those started"),
)
_LEAVES = (
    ("won", "positions", "Distinct final positions that are won"),
    ("drawn", "positions", "Distinct final positions that are drawn"),
    ("lost", "positions", "Distinct final positions that are lost"),
)
_ELO = (
    ("elo", "Elo points above the opponent; infinite where all games were won or all lost."),
    ("elo_stderr", "Standard error of `elo`; infinite where that is."),
)


def rate_keys(config: Any, prefix: str) -> tuple[PayloadKey, ...]:
    """Return the rates over all games, over those moved first in, and second."""
    return tuple(
        PayloadKey(
            name=f"{prefix}/{seat}{name}",
            dtype="float",
            unit=unit,
            doc=f"{doc}{words}.",
            every=config.every,
            phase=prefix,
        )
        for seat, words in _SEATS
        for name, unit, doc in _RATES
    )


def checkpoint_keys(config: CheckpointEvaluator, prefix: str) -> tuple[PayloadKey, ...]:
    """Return the rates and the difference in Elo that they amount to."""
    elo = tuple(
        PayloadKey(
            name=f"{prefix}/{name}",
            dtype="float",
            unit="elo",
            doc=doc,
            every=config.every,
            phase=prefix,
        )
        for name, doc in _ELO
    )
    return (*rate_keys(config, prefix), *elo)


def game_tree_keys(config: GameTreeEvaluator, prefix: str) -> tuple[PayloadKey, ...]:
    """Return the counts of leaves over both seats, moving first, and moving second."""
    return tuple(
        PayloadKey(
            name=f"{prefix}/{seat}{name}",
            dtype="int",
            unit=unit,
            doc=f"{doc}{words}.",
            every=config.every,
            phase=prefix,
        )
        for seat, words in _SEATS
        for name, unit, doc in _LEAVES
    )
