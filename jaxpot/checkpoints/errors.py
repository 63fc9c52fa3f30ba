"""What can go wrong with a checkpoint."""

from pathlib import Path


class CheckpointError(Exception):
    """A checkpoint could not be written, or cannot be used; the text says which one and why."""


class DamagedCheckpoint(CheckpointError):  # noqa: N818 - the name is what it is, not what it does
    """A checkpoint on disk is not what was written.

    Attributes:
        path: The checkpoint's directory.
        file: The file at fault, relative to `path`; empty when it is the directory itself.
        reason: What is wrong with it.
    """

    def __init__(self, path: Path, file: str, reason: str) -> None:
        self.path = path
        self.file = file
        self.reason = reason
        super().__init__(f"{path}: damaged: {self.fault}")

    @property
    def fault(self) -> str:
        """The file and what is wrong with it."""
        return f"{self.file}: {self.reason}" if self.file else self.reason


class StateMismatch(CheckpointError):  # noqa: N818 - likewise
    """A whole checkpoint holds other arrays than the program's state.

    Attributes:
        path: The checkpoint's directory.
        faults: One line for each leaf at fault, starting with its path.
    """

    def __init__(self, path: Path, faults: tuple[str, ...]) -> None:
        self.path = path
        self.faults = faults
        lines = "".join(f"\n  {fault}" for fault in faults)
        super().__init__(f"{path}: does not fit this program's state:{lines}")
