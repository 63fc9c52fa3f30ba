"""Keeping the folder of runs in order: what can be deleted without loss, found and deleted."""

from jaxpot.checkpoints.retention import Rule
from jaxpot.upkeep.gc import Finding, Plan, apply, plan

__all__ = ["Finding", "Plan", "Rule", "apply", "plan"]
