"""Declarative self-play experiments: a typed spec in, a bit-exact run and its record out."""

__version__ = "0.1.0"
