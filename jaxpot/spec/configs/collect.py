"""Configs of what an iteration collects, the rows it can collect, and the keys it emits."""

from typing import Literal

import attrs

from jaxpot.spec.fields import INT32_MAX, option


@attrs.frozen(kw_only=True)
class SelfplayCollector:
    """Games of the live network against itself, or against its slow copy, the target."""

    num_envs: int = option(ge=1, le=INT32_MAX, doc="Games played side by side.")
    opponent: Literal["live", "target"] = option(
        default="live",
        later=True,
        doc="Who holds the other seat: the live network itself, both seats being trained; or the "
        "target, which moves second in one half of the games and first in the other, untrained.",
    )


@attrs.frozen(kw_only=True)
class RandomCollector:
    """Games of the live network against uniformly random moves; the network's seat is trained.

    The network moves first in half of the games.
    """

    num_envs: int = option(
        ge=2, le=INT32_MAX, multiple_of=2, doc="Games played side by side, half of them per seat."
    )
    until: int | None = option(
        default=None,
        ge=1,
        le=INT32_MAX,
        unit="iterations",
        doc="First iteration without random games; without it they never stop.",
    )


@attrs.frozen(kw_only=True)
class LeagueCollector:
    """Games of the live network against the league's entries; the network's seat is trained."""

    num_envs: int = option(
        ge=2, le=INT32_MAX, multiple_of=2, doc="Games played side by side, against all entries."
    )


@attrs.frozen(kw_only=True)
class ArchiveCollector:
    """Games of the live network against the archive's active entries; its own seat is trained."""

    num_envs: int = option(
        ge=2, le=INT32_MAX, multiple_of=2, doc="Games played side by side, against all of them."
    )


@attrs.frozen(kw_only=True)
class Collect:
    """Where an iteration's rows come from; at least one collector is on at every iteration."""

    num_steps: int = option(
        ge=1, le=INT32_MAX, unit="steps", doc="Environment steps per game and iteration."
    )
    start: Literal["carried", "fresh"] = option(
        default="carried",
        doc="`carried`: an iteration goes on with the games of the one before, so that every "
        "position of a long game is trained on. `fresh`: every iteration begins new games, which "
        "suits `num_steps` that cover the longest game.",
    )
    selfplay: SelfplayCollector | None = option(default=None, doc="Self-play; absent is off.")
    random: RandomCollector | None = option(
        default=None, doc="Play against random moves; absent is off."
    )
    league: LeagueCollector | None = option(
        default=None, doc="Play against the league, once it has an entry; absent is off."
    )
    archive: ArchiveCollector | None = option(
        default=None, doc="Play against forgotten entries of the archive; absent is off."
    )


def certain_rows(collect: Collect, t: int) -> int:
    """Return how many rows iteration `t` collects for trained seats, whatever the league holds.

    Against an opponent a row is a move of the network: every second one, first and last included.
    """
    rows = 0
    half = -(-collect.num_steps // 2)
    if collect.selfplay is not None:
        both = collect.selfplay.opponent == "live"
        rows += collect.selfplay.num_envs * (collect.num_steps if both else half)
    if collect.random is not None and (collect.random.until is None or t < collect.random.until):
        rows += collect.random.num_envs * half
    return rows


def most_rows(collect: Collect) -> int:
    """Return how many rows an iteration has with every collector on, trained or not."""
    collectors = (collect.selfplay, collect.random, collect.league, collect.archive)
    return collect.num_steps * sum(each.num_envs for each in collectors if each is not None)
