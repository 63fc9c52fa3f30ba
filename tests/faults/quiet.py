"""Commands called in this process, and what they said."""

import contextlib
import io

from jaxpot.cli.main import invoke


def quietly(*arguments: str) -> tuple[int, str, str]:
    """Calls `jaxpot`: exit status, stdout, stderr; a bug escapes as an exception.

    Raises:
        AssertionError: The command raised what is no answer to a user.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = invoke(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        except Exception as error:
            raise AssertionError(f"jaxpot {arguments} raised {error!r}") from error
    return code, out.getvalue(), err.getvalue()
