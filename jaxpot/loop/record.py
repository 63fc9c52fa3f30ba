"""The rows contract: which rows an iteration has, and what their targets rest on."""

from collections.abc import Mapping
from typing import Any

from jaxpot.errors import UserError
from jaxpot.journal import RunRecord

ROWS = "v2"
"""Version of the rows contract. Under v1, the default, every iteration began new games."""


def rows_of(attempt: Mapping[str, Any]) -> str:
    """Return the version of the rows contract that an attempt trained under."""
    return attempt.get("rows") or "v1"


def require_rows(record: RunRecord) -> None:
    """Refuse a run whose rows this version of jaxpot would continue differently.

    Raises:
        UserError: The run was trained under another rows contract.
    """
    rows = rows_of(record.provenance)
    if record.attempt and rows != ROWS:
        raise UserError(
            f"{record.path}: this run was trained under rows contract {rows}, and this jaxpot has "
            f"{ROWS}: it cannot go on to the same bits. Resume it with the jaxpot that trained it, "
            "or start a new run from its network: jaxpot run SPEC --init-from RUN"
        )
