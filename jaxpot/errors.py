"""The one error class that means "the user's input is wrong" (exit code 2, no traceback)."""


class UserError(Exception):
    """Something the user gave is wrong; the text says where, which rule, what, and the way out.

    Attributes:
        exit_code: What the process ends with; a failure that is no fault of the input says 1.
    """

    exit_code = 2
