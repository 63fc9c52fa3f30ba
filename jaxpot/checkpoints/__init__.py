"""Checkpoints: written atomically, verified on every read, kept by the spec's `[checkpoint]` table.

`CheckpointWriter` saves and deletes, `restore` reads back, `select_checkpoint` finds the one a user
names. Importing this package, listing and verifying load neither jax nor orbax.
"""

from jaxpot.checkpoints.layout import (
    CheckpointError,
    CheckpointInfo,
    DamagedCheckpoint,
    StateMismatch,
    list_checkpoints,
)
from jaxpot.checkpoints.metadata import Metadata
from jaxpot.checkpoints.read import read_metadata, restore, restore_network, verify
from jaxpot.checkpoints.select import newest_whole, select_checkpoint
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
