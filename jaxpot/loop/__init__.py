"""A run's program and its loop: an experiment becomes a graph of phases, and the graph runs."""
