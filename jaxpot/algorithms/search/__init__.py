"""Tree search in the real game with mctx, for acting and for training targets."""

from jaxpot.algorithms.search.game_tree import require_searchable
from jaxpot.algorithms.search.search import SearchOptions, SearchResult, noiseless, search

__all__ = ["SearchOptions", "SearchResult", "noiseless", "require_searchable", "search"]
