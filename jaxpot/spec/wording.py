"""Words for values and types, in TOML's terms: what was given, and what would be right."""

import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from jaxpot.spec.faults import quoted
from jaxpot.spec.fields import Rules

NONE = "none"
"""What stands for no value: TOML has no null, and a file that extends another may need one."""


def shown(value: object) -> str:
    """Return a value as an error shows it: short, on one line, whatever its size or depth."""
    match value:
        case str():
            return quoted(value)
        case bool():
            return "true" if value else "false"
        case int() if value.bit_length() > 64:
            return "an integer of more than 64 bits"
        case int() | float():
            return repr(value)
        case Mapping():
            return "a table"
        case list() | tuple():
            return f"an array of {len(value)}"
        case _:
            return str(value)[:60]


def given(value: object) -> str:
    """Return a value and its type, for a message about a wrong type."""
    match value:
        case Mapping() | list() | tuple():
            return f"{shown(value)} was given"
        case _:
            return f"{shown(value)} is {type_of(value)}"


def type_of(value: object) -> str:
    """Return the TOML type of a value, with its article."""
    match value:
        case Mapping():
            return "a table"
        case list() | tuple():
            return "an array"
        case str():
            return "a string"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a float"
        case _:
            return "a date or a time"


def listed(choices: Sequence[object]) -> str:
    """Return choices as `"a", "b" or "c"`."""
    words = [shown(choice) for choice in choices]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def allowed(annotation: Any, rules: Rules) -> str:
    """Return what a field takes, as a noun phrase: its type within its rules."""
    if is_union(annotation):
        return _allowed_union(annotation, rules)
    origin = get_origin(annotation)
    if origin is Literal:
        return listed(get_args(annotation))
    if origin is tuple:
        return f"an array, each item {allowed(get_args(annotation)[0], rules)}"
    if annotation is bool:
        return "true or false"
    if annotation is int:
        even = "an even integer" if rules.multiple_of == 2 else "an integer"
        return " ".join(filter(None, (even, rules.range)))
    if annotation is float:
        return " ".join(filter(None, ("a number", rules.range)))
    if annotation is str:
        return rules.name.words if rules.name else "a string"
    return "a table"


def is_union(annotation: Any) -> bool:
    """Return whether an annotation is `A | B`."""
    return isinstance(annotation, types.UnionType) or get_origin(annotation) is Union


def _allowed_union(annotation: Any, rules: Rules) -> str:
    members = get_args(annotation)
    words = [
        allowed(member, rules)
        for member in members
        if not attrs.has(member) and member is not type(None)
    ]
    tables: list[Any] = [member for member in members if attrs.has(member)]
    if tables:
        kinds = [table.kind for table in tables if isinstance(getattr(table, "kind", None), str)]
        words.append(f"a table of kind {listed(kinds)}" if kinds else "a table")
    if type(None) in members:
        words.append(f'"{NONE}"')
    return ", or ".join(words)
