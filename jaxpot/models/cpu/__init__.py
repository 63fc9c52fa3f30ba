"""Layers written by hand for XLA's CPU backend; other platforms run XLA's own operations."""
