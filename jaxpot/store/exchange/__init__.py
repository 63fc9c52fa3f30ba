"""Runs in other programs' forms, and other programs' and machines' runs as ours."""
