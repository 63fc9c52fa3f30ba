"""Paths as users write them: in a spec, as an option, in the environment."""

import os
from pathlib import Path

from jaxpot.errors import UserError


def expanded(path: str | os.PathLike[str]) -> Path:
    """Returns a path with a leading `~` or `~user` replaced by that home directory.

    A shell does so for some words only: not after `=`, in quotes, or in a spec.

    Raises:
        UserError: No home directory is known for it.
    """
    # Not by `Path.expanduser`: a Path of "./~" has forgotten its "./".
    given = os.fspath(path)
    found = os.path.expanduser(given)
    if found == given and given.startswith("~"):
        raise UserError(
            f"{given}: no home directory is known for {Path(given).parts[0]}; write the path in "
            f"full, or ./{given} for a file of that name"
        )
    return Path(found)


def check_working_directory() -> None:
    """Checks that relative paths mean something.

    Raises:
        UserError: The working directory was deleted.
    """
    try:
        os.getcwd()
    except OSError as error:
        raise UserError(
            f"the working directory is gone ({error.strerror}); change to one that exists"
        ) from error
