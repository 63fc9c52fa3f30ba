"""An experiment as far as it is sound: what the rules across fields are written against."""

from collections.abc import Mapping
from typing import Any

import attrs

from jaxpot.spec.configs.envs import PgxEnv
from jaxpot.spec.faults import Path
from jaxpot.spec.pgx_games import GAMES, Game


class Unknown(Exception):  # noqa: N818 - ends a rule whose input is not sound; no error
    """A value that a rule needs was refused, or is a user's own part that was not imported."""


@attrs.frozen
class Draft:
    """An experiment as far as it is sound.

    Attributes:
      values: the sections that could be made; where a key of one was refused, it has its default.
      refused: the paths of the faults found so far.
    """

    values: Mapping[str, Any]
    refused: tuple[Path, ...] = ()

    def part(self, *path: str | int) -> Any:
        """Return a value of which some parts may be refused.

        Raises:
          Unknown: it, or what it is in, was refused.
        """
        if any(path[: len(refused)] == refused for refused in self.refused):
            raise Unknown
        value: Any = self.values
        for key in path:
            if value is None:
                raise Unknown
            try:
                value = getattr(value, str(key)) if attrs.has(type(value)) else value[key]
            except (AttributeError, LookupError):
                raise Unknown from None
        return value

    def sound(self, *path: str | int) -> Any:
        """Return a value of which nothing was refused.

        Raises:
          Unknown: it, what it is in, or something in it was refused.
        """
        if any(refused[: len(path)] == path for refused in self.refused):
            raise Unknown
        return self.part(*path)

    def game(self) -> Game:
        """Return the facts of the game.

        Raises:
          Unknown: it is a user's own, or none that can be played.
        """
        env = self.part("env")
        game = GAMES.get(self.sound("env", "id")) if isinstance(env, PgxEnv) else None
        if game is None:
            raise Unknown
        return game
