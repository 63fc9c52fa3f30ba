"""Several runs side by side: groups of seeds, what specs say differently, who is ahead."""

from jaxpot.views.comparison.compare import Comparison, KeyComparison, compare
from jaxpot.views.comparison.groups import Group, Run, grouped, read_runs
from jaxpot.views.comparison.keys import chosen_keys, default_keys, sense_of

__all__ = [
    "Comparison",
    "Group",
    "KeyComparison",
    "Run",
    "chosen_keys",
    "compare",
    "default_keys",
    "grouped",
    "read_runs",
    "sense_of",
]
