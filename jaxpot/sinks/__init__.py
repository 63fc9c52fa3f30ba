"""Displays of a run while it goes: a live dashboard on terminals, plain lines elsewhere."""
