"""Several runs side by side: groups of seeds, what specs say differently, who is ahead."""

from jaxpot.comparison.compare import Comparison, KeyComparison, compare
from jaxpot.comparison.groups import Group, Run, grouped, read_runs
from jaxpot.comparison.keys import chosen_keys, default_keys, sense_of

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
