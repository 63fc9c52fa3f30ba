"""Algorithms: act, learn, advantages, losses; search and auxiliary losses in packages."""
