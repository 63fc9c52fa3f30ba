"""Configs of environments."""

from typing import ClassVar

import attrs

from jaxpot.spec.fields import option
from jaxpot.spec.parts import ImportedPart
from jaxpot.spec.pgx_games import GAMES


@attrs.frozen(kw_only=True)
class PgxEnv:
    """A two-player game from pgx (Koyamada et al. 2023, https://arxiv.org/abs/2303.17503)."""

    kind: ClassVar[str] = "pgx"

    id: str = option(choices=tuple(GAMES), doc="The game's id in pgx.")


EnvConfig = PgxEnv | ImportedPart
