"""Checkpoints: written atomically, verified when read, kept as the spec says.

Listing and verifying import neither jax nor orbax, nor does importing this package.
"""

from jaxpot.checkpoints.errors import CheckpointError, DamagedCheckpoint, StateMismatch
from jaxpot.checkpoints.layout import CheckpointInfo, list_checkpoints
from jaxpot.checkpoints.metadata import Metadata
from jaxpot.checkpoints.restore import newest_whole, restore, restore_network
from jaxpot.checkpoints.selector import select_checkpoint
from jaxpot.checkpoints.verify import read_metadata, verify
from jaxpot.checkpoints.writer import CheckpointWriter

__all__ = [
    "CheckpointError",
    "CheckpointInfo",
    "CheckpointWriter",
    "DamagedCheckpoint",
    "Metadata",
    "StateMismatch",
    "list_checkpoints",
    "newest_whole",
    "read_metadata",
    "restore",
    "restore_network",
    "select_checkpoint",
    "verify",
]
