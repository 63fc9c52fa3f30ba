"""Strict hooks for scalars: a value is taken as it is, or refused with the reason."""

import math
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, get_args, get_origin

from jaxpot.spec.faults import Fault, nearest
from jaxpot.spec.fields import Rules
from jaxpot.spec.wording import allowed, given, listed, shown

MISSING: Final = object()

_NO_RULES = Rules(doc="")


class Rejected(Exception):  # noqa: N818 - not an error of the program but a value that is refused
    """A value was refused.

    Attributes:
      faults: why, with paths relative to the value.
      usable: the value with what was wrong left at its defaults, or MISSING.
    """

    def __init__(self, faults: Iterable[Fault], usable: Any = MISSING) -> None:
        super().__init__()
        self.faults = tuple(faults)
        self.usable = usable


def wrong_type(value: Any, annotation: Any) -> Rejected:
    """Returns the refusal of a value that an annotation does not admit."""
    return Rejected([Fault("wrong-type", (), given(value), allowed(annotation, _NO_RULES))])


def take_bool(value: Any, annotation: Any) -> bool:
    """Takes a boolean."""
    if not isinstance(value, bool):
        raise wrong_type(value, annotation)
    return value


def take_int(value: Any, annotation: Any) -> int:
    """Takes an integer; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(value, annotation)
    return value


def take_float(value: Any, annotation: Any) -> float:
    """Takes a finite number; an integer may stand for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(value, annotation)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        message = f"{shown(value)} is not a finite number"
        raise Rejected([Fault("not-finite", (), message, allowed(annotation, _NO_RULES))])
    return number + 0.0  # -0.0 becomes 0.0: equal values have one resolved form


def take_str(value: Any, annotation: Any) -> str:
    """Takes a string."""
    if not isinstance(value, str):
        raise wrong_type(value, annotation)
    return value


def take_literal(value: Any, annotation: Any) -> Any:
    """Takes one of a Literal's choices, of the choice's own type."""
    choices = get_args(annotation)
    if any(value == choice and type(value) is type(choice) for choice in choices):
        return value
    if not isinstance(value, str):
        raise wrong_type(value, annotation)
    near = nearest(value.lower(), [choice for choice in choices if isinstance(choice, str)])
    message = f"{shown(value)} is not a choice"
    raise Rejected([Fault("unknown-choice", (), message, listed(choices), near)])


def take_scalar_member(value: Any, annotation: Any, take: Callable[[Any, Any], Any]) -> Any:
    """Takes a scalar as the one member of a union that TOML's type of it can mean."""
    members = get_args(annotation)
    wanted: tuple[Any, ...] = ()
    if isinstance(value, bool):
        wanted = (bool,)
    elif isinstance(value, int):
        wanted = (int, float)
    elif isinstance(value, float):
        wanted = (float,)
    elif isinstance(value, str):
        wanted = (str, *(member for member in members if get_origin(member) is Literal))
    for member in wanted:
        if member in members:
            return take(value, member)
    raise wrong_type(value, annotation)
