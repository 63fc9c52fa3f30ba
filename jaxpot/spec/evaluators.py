"""Configs of evaluators, and the payload keys that they emit."""

from typing import ClassVar

import attrs

from jaxpot.spec.fields import INT32_MAX, option
from jaxpot.spec.keys import PayloadKey
from jaxpot.spec.parts import ImportedEvaluator

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


@attrs.frozen(kw_only=True)
class GameTreeEvaluator:
    """Follows every line of play against the greedy network and counts how the lines end.

    Only for a deterministic game of perfect information whose positions fit in `max_positions`.
    """

    kind: ClassVar[str] = "game_tree"

    every: int = option(ge=1, le=INT32_MAX, unit="iterations", doc=_EVERY)
    max_positions: int = option(
        default=100_000, ge=1, le=INT32_MAX, unit="positions", doc="Largest game tree to follow."
    )


Evaluator = RandomEvaluator | GameTreeEvaluator | ImportedEvaluator

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


def random_keys(config: RandomEvaluator, prefix: str) -> tuple[PayloadKey, ...]:
    """Returns the rates over all games, over those moved first in, and second."""
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


def game_tree_keys(config: GameTreeEvaluator, prefix: str) -> tuple[PayloadKey, ...]:
    """Returns the counts of leaves over both seats, moving first, and moving second."""
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
