"""The league: frozen copies of the agent, whom it plays, and who is kept."""

from jaxpot.league.allocation import allocate, group_slots, weights
from jaxpot.league.pool import Frozen, empty_pool, freeze, gather
from jaxpot.league.table import ARCHIVE, LEAGUE, NEW_SCORE, Table, empty_table, update_scores

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
