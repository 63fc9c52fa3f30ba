"""Config of a search through the game: what AlphaZero acts by, and what evaluators may."""

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from jaxpot.spec.fields import INT32_MAX, option

GUMBEL = "gumbel_muzero"


@attrs.frozen(kw_only=True)
class Search:
    """A Monte Carlo tree search over the real game, without noise, guided by the network."""

    policy: Literal["gumbel_muzero", "muzero"] = option(
        default=GUMBEL,
        doc="How moves are chosen: by sequential halving (Danihelka et al. 2022, "
        "https://openreview.net/forum?id=bERaNdoegnO), or by PUCT and visit counts.",
    )
    num_simulations: int = option(
        default=32, ge=1, le=1_000_000, doc="Positions that a search adds to its tree."
    )
    max_num_considered_actions: int | None = option(
        default=None,
        ge=1,
        le=INT32_MAX,
        doc="Most moves that `gumbel_muzero` tries at the root; 16 if absent.",
    )
    gamma: float = option(default=1.0, ge=0, le=1, doc="Discount of a later reward, per move.")

    def __attrs_post_init__(self) -> None:
        if self.policy == GUMBEL:
            fill(self, max_num_considered_actions=16)

    def unused(self) -> Mapping[str, str]:
        """Returns the options that are given in vain, each with what takes its effect away."""
        names = () if self.policy == GUMBEL else ("max_num_considered_actions",)
        return given(self, names, because=f'policy = "{self.policy}"')


def fill(config: Any, **defaults: Any) -> None:
    """Gives the options without a value the one that they have where they have an effect."""
    for name, default in defaults.items():
        if getattr(config, name) is None:
            object.__setattr__(config, name, default)


def given(config: Any, names: tuple[str, ...], *, because: str) -> Mapping[str, str]:
    """Returns those of the named options that have a value, each with the same reason."""
    return {name: because for name in names if getattr(config, name) is not None}
