"""The league: frozen copies of the agent, which it plays, and which of them stay."""

from jaxpot.league.pool import Frozen, empty_pool, freeze, gather
from jaxpot.league.table import (
    ARCHIVE,
    LEAGUE,
    NEW_SCORE,
    Table,
    allocate,
    empty_table,
    group_slots,
    update_scores,
    weights,
)

__all__ = [
    "ARCHIVE",
    "LEAGUE",
    "NEW_SCORE",
    "Frozen",
    "Table",
    "allocate",
    "empty_pool",
    "empty_table",
    "freeze",
    "gather",
    "group_slots",
    "update_scores",
    "weights",
]
