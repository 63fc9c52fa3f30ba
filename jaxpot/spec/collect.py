"""Configs of what an iteration collects, the rows it can collect, and the keys it emits."""

import attrs

from jaxpot.spec.fields import INT32_MAX, option
from jaxpot.spec.keys import PayloadKey


@attrs.frozen(kw_only=True)
class SelfplayCollector:
    """Games of the live network against itself; both seats are trained."""

    num_envs: int = option(ge=1, le=INT32_MAX, doc="Games played side by side.")


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
class Collect:
    """Where an iteration's rows come from; at least one collector is on at every iteration."""

    num_steps: int = option(
        ge=1, le=INT32_MAX, unit="steps", doc="Environment steps per game and iteration."
    )
    selfplay: SelfplayCollector | None = option(default=None, doc="Self-play; absent is off.")
    random: RandomCollector | None = option(
        default=None, doc="Play against random moves; absent is off."
    )


def trainable_rows(collect: Collect, t: int) -> int:
    """Returns how many rows iteration `t` collects for trained seats.

    Against a random opponent a row is a move of the network: every second one, first and last
    included.
    """
    rows = 0
    if collect.selfplay is not None:
        rows += collect.selfplay.num_envs * collect.num_steps
    if collect.random is not None and (collect.random.until is None or t < collect.random.until):
        rows += collect.random.num_envs * -(-collect.num_steps // 2)
    return rows


def collect_keys(collect: Collect) -> tuple[PayloadKey, ...]:
    """Returns the keys that the collectors emit about their games."""
    if collect.random is None:
        return ()
    return (
        PayloadKey(
            name="train_vs_random/reward",
            dtype="float",
            unit="reward",
            doc="Mean return of the network in the games finished against random moves.",
            until=collect.random.until,
            phase="collect_random",
        ),
    )
