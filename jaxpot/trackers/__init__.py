"""Trackers: TensorBoard, W&B, JSON lines or a user's own, fed from a run's journal."""
