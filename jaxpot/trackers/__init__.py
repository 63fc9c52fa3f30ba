"""The process beside a run: it brings the journal into the database and feeds the run's sinks.

A tracker is a tool such as TensorBoard or W&B; a sink is the object that sends it a run's records.
"""
