"""Configs of environments."""

from typing import ClassVar

import attrs

from jaxpot.spec.configs.parts import ImportedPart
from jaxpot.spec.fields import option
from jaxpot.spec.pgx_games import GAMES

MOST_PAST = 1024


@attrs.frozen(kw_only=True)
class PgxEnv:
    """A two-player game from pgx (Koyamada et al. 2023, https://arxiv.org/abs/2303.17503)."""

    kind: ClassVar[str] = "pgx"

    id: str = option(choices=tuple(GAMES), doc="The game's id in pgx.")
    history: int = option(
        default=1,
        ge=1,
        le=MOST_PAST,
        unit="positions",
        later=True,
        doc="Positions that an observation shows, the newest first, as its player saw them.",
    )
    action_history: int = option(
        default=0,
        ge=0,
        le=MOST_PAST,
        unit="actions",
        later=True,
        doc="Number of last actions of either player that are also shown, newest first.",
    )


EnvConfig = PgxEnv | ImportedPart
