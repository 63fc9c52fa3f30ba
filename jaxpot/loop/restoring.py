"""Where an attempt starts from: the newest whole checkpoint, or nothing."""

from pathlib import Path

import attrs

from jaxpot import checkpoints
from jaxpot.errors import UserError
from jaxpot.loop.state import State


@attrs.frozen(kw_only=True, eq=False)
class Restored:
    """A state to start from, and what was known with it.

    Attributes:
        state: The state, or None to make a fresh one.
        iteration: Iterations done.
        counters: Cumulative counts.
        digest: The state's digest.
        path: The checkpoint, relative to the runs directory.
        warnings: What was damaged and passed over, in words.
    """

    state: State | None = None
    iteration: int = 0
    counters: dict[str, int] = attrs.field(factory=dict)
    digest: str = ""
    path: str | None = None
    warnings: tuple[str, ...] = ()


START = Restored()


def restore_newest(folder: Path, shapes: State) -> Restored:
    """Restores the newest whole checkpoint of the run in `folder`; a fresh start without one.

    Raises:
        UserError: The checkpoint's arrays do not fit the state that the parts now make.
    """
    newest, skipped = checkpoints.newest_whole(folder)
    warnings = tuple(f"{path} is damaged and passed over: {reason}" for path, reason in skipped)
    if newest is None:
        return Restored(warnings=warnings)
    try:
        state, metadata = checkpoints.restore(newest.path, shapes)
    except checkpoints.StateMismatch as error:
        raise UserError(
            f"{error}\nThe code of a part has changed since it was saved; resume with the code of "
            "then, or start a new run"
        ) from error
    return Restored(
        state=state,
        iteration=newest.iteration,
        counters=metadata["counters"],
        digest=metadata["digest"],
        path=str(newest.path.relative_to(folder.parent)),
        warnings=warnings,
    )
