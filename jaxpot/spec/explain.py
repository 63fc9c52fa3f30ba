"""Says of a loaded spec's values where each came from, what it overrode, and what it means."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from jaxpot.errors import UserError
from jaxpot.spec.faults import Origin, Path, dotted, nearest, quoted
from jaxpot.spec.fields import rules_of
from jaxpot.spec.source.document import DROPPED, Written
from jaxpot.spec.source.load import Loaded
from jaxpot.spec.source.positions import scan_key
from jaxpot.spec.wording import NONE, allowed


@attrs.frozen
class Explanation:
    """One value of a spec.

    Attributes:
      path: where it stands in the resolved form.
      value: as the resolved form has it.
      origin: where it was written; None for a default.
      overrode: what bases, files and overrides said before, newest first.
      doc: what the key means ("" in a table of a user's own part).
      allowed: what it takes.
    """

    path: Path
    value: Any
    origin: Origin | None
    overrode: tuple[Written, ...]
    doc: str
    allowed: str


def explain(loaded: Loaded, path: str = "") -> tuple[Explanation, ...]:
    """Explain the value at a dotted path or, where it is a table, every value below it.

    Raises:
      UserError: the spec has no such path.
    """
    at, value = _find(loaded, path) if path else ((), loaded.resolved)
    found = [*_leaves(at, value), *_removed(loaded, at)]
    return tuple(_explain(loaded, leaf, value) for leaf, value in found)


def _find(loaded: Loaded, text: str) -> tuple[Path, Any]:
    split = scan_key(f"{text}=")
    if split is None or split[1]:
        raise UserError(f"{quoted(text)} is not a path; a path is keys joined by dots")
    at: Path = ()
    value: Any = loaded.resolved
    for part in split[0]:
        children = _children(value)
        if part not in children and loaded.provenance.removed((*at, part)):
            return (*at, part), NONE
        if part not in children:
            raise UserError(_absent(loaded, at, part, list(children)))
        key, value = children[part]
        at = (*at, key)
    return at, value


def _children(value: Any) -> dict[str, tuple[str | int, Any]]:
    """Return what a user writes for each key or index of `value`, with that and its value."""
    if isinstance(value, dict):
        return {key: (key, child) for key, child in value.items()}
    if isinstance(value, list):
        return {str(index): (index, child) for index, child in enumerate(value)}
    return {}


def _absent(loaded: Loaded, at: Path, part: str, keys: list[str]) -> str:
    text = f"{loaded.files[0]} has no {dotted((*at, part))}"
    near = nearest(part, keys)
    if near:
        return f"{text}; did you mean '{dotted((*at, near))}'?"
    place = dotted(at) or "it"
    return f"{text}; {place} has {', '.join(keys)}" if keys else text


def _leaves(at: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _leaves((*at, key), child)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, child in enumerate(value):
            yield from _leaves((*at, index), child)
    else:
        yield at, value


def _removed(loaded: Loaded, at: Path) -> Iterator[tuple[Path, Any]]:
    """Yield the removed tables and arrays below `at` that the resolved form does not have."""
    for path in loaded.provenance.trails:
        if len(path) <= len(at) or path[: len(at)] != at or not loaded.provenance.removed(path):
            continue
        node: Any = loaded.resolved
        for part in path:
            children = _children(node)
            if str(part) not in children:
                yield path, NONE
                break
            node = children[str(part)][1]


def _explain(loaded: Loaded, path: Path, value: Any) -> Explanation:
    trail = loaded.provenance.trail(path)
    origin = loaded.provenance.origin(path)
    before = trail[:-1] if origin is not None else trail
    overrode = tuple(written for written in reversed(before) if written.value is not DROPPED)
    doc, takes = _meaning(loaded.experiment, path)
    return Explanation(path, value, origin, overrode, doc, takes)


def _meaning(experiment: Any, path: Path) -> tuple[str, str]:
    """Return what the field at `path` means and takes; "" where no spec class declares it."""
    node, meaning = experiment, ("", "")
    for part in path:
        if isinstance(node, Mapping | tuple):
            if isinstance(node, Mapping) and part not in node:
                return "", ""
            node = node[part]  # pyright: ignore[reportArgumentType, reportCallIssue]
            continue
        fields = attrs.fields_dict(attrs.resolve_types(type(node))) if attrs.has(type(node)) else {}
        if part not in fields:
            return "", ""
        rules = rules_of(fields[part])
        meaning = rules.doc, allowed(fields[part].type, rules)
        node = getattr(node, str(part))
    return meaning
