"""Strict hooks for scalars: a value is taken as it is, or refused with the reason."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, get_args, get_origin

import attrs

from jaxpot.spec.configs.parts import check_import_path
from jaxpot.spec.faults import Fault, Path, nearest
from jaxpot.spec.fields import Rules
from jaxpot.spec.registry import Registry
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
    """Return the refusal of a value that an annotation does not admit."""
    return Rejected([Fault("wrong-type", (), given(value), allowed(annotation, _NO_RULES))])


def take_bool(value: Any, annotation: Any) -> bool:
    """Take a boolean."""
    if not isinstance(value, bool):
        raise wrong_type(value, annotation)
    return value


def take_int(value: Any, annotation: Any) -> int:
    """Take an integer; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(value, annotation)
    return value


def take_float(value: Any, annotation: Any) -> float:
    """Take a finite number; an integer may stand for a float."""
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
    """Take a string."""
    if not isinstance(value, str):
        raise wrong_type(value, annotation)
    return value


def take_literal(value: Any, annotation: Any) -> Any:
    """Take one of a Literal's choices, of the choice's own type."""
    choices = get_args(annotation)
    if any(value == choice and type(value) is type(choice) for choice in choices):
        return value
    if not isinstance(value, str):
        raise wrong_type(value, annotation)
    near = nearest(value.lower(), [choice for choice in choices if isinstance(choice, str)])
    message = f"{shown(value)} is not a choice"
    raise Rejected([Fault("unknown-choice", (), message, listed(choices), near)])


def take_scalar_member(value: Any, annotation: Any, take: Callable[[Any, Any], Any]) -> Any:
    """Take a scalar as the one member of a union that TOML's type of it can mean."""
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


def kind_of(value: Mapping[str, Any], registry: Registry) -> str:
    """Return the kind that a table says it is: one of the registry's, or an import path.

    Raises:
      Rejected: it says none, or one that there is not.
    """
    if "kind" not in value:
        raise Rejected([Fault("missing-kind", ("kind",), "missing", _kinds(registry))])
    kind = value["kind"]
    if not isinstance(kind, str):
        raise Rejected([Fault("wrong-type", ("kind",), given(kind), _kinds(registry))])
    if kind in registry.by_kind:
        return kind
    if registry.imported is None or ":" not in kind:
        raise unknown_kind(kind, registry)
    fault = check_import_path(kind)
    if fault is not None:
        raise Rejected([fault])
    return kind


def _kinds(registry: Registry) -> str:
    own = '"package.module:Name" for a class of your own'
    if not registry.rows:
        return own
    return listed(list(registry.by_kind)) + (f", or {own}" if registry.imported else "")


def unknown_kind(kind: str, registry: Registry) -> Rejected:
    """Return the refusal of a kind that a registry does not have."""
    if kind in registry.former:
        message = (
            f"{shown(kind)} is no longer a kind of {registry.name}; use the option that replaced it"
        )
        return Rejected([Fault("unknown-kind", ("kind",), message, registry.former[kind])])
    message = f"{shown(kind)} is no kind of {registry.name}"
    near = nearest(kind.lower(), registry.by_kind)
    return Rejected([Fault("unknown-kind", ("kind",), message, _kinds(registry), near)])


MAX_FAULTS = 100
"""Most faults that one section reports; more of them say nothing new."""


def limited(faults: list[Fault]) -> list[Fault]:
    """Keep at most `MAX_FAULTS` faults of each section."""
    reported: Counter[Path] = Counter()
    kept = []
    for fault in faults:
        reported[fault.path[:1]] += 1
        if reported[fault.path[:1]] <= MAX_FAULTS:
            kept.append(fault)
    return kept


def accept(value: Any, faults: list[Fault]) -> Any:
    """Return a value without faults.

    Raises:
        Rejected: it has some; the value goes with them, for what is usable of it.
    """
    if faults:
        raise Rejected(faults, value)
    return value


def under(key: str | int, fault: Fault) -> Fault:
    """Place a fault of a value under the value's key."""
    return attrs.evolve(fault, path=(key, *fault.path))


def distrusted(faults: list[Fault]) -> tuple[Path, ...]:
    """Return the paths whose values the spec does not really tell.

    An unknown key makes the key that it was probably meant to be one of them: its default is not
    what the user wants.
    """
    misspelt = ((*fault.path[:-1], fault.suggestion) for fault in faults if fault.suggestion)
    return (*(fault.path for fault in faults), *misspelt)


def unknown_keys(data: Mapping[str, Any], known: Iterable[str]) -> list[Fault]:
    """Return the faults of keys that a table does not have, each with the nearest that it has."""
    names = sorted(known)
    faults = []
    for key in data:
        if key in names:
            continue
        near = nearest(key, names)
        text = "" if near else listed(names) if names else "no keys"
        faults.append(Fault("unknown-key", (key,), "unknown key", text, near))
        if len(faults) == MAX_FAULTS:
            break
    return faults
