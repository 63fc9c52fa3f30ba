"""The room that a picture has."""

from __future__ import annotations

import attrs


@attrs.frozen
class Size:
    """The room there is, in characters, and whether it can show more than ASCII."""

    width: int
    height: int
    ascii_only: bool = False
