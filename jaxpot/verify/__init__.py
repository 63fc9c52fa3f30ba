"""Proves that a run repeats itself, or finds where two runs part."""
