"""Composes a spec's values from its file, the files that it extends, and overrides.

The rules, in the order in which they apply:

- A file comes after the files that it extends, in the order it lists them; a file that is reached
  twice counts once, where it is reached first.
- A table merges into the table that was there, key by key; anything else (an array too) replaces.
- The string "none" in place of a table or an array removes it, as though it was never written; of
  an array of tables, in place of an item, that item.
- A table with another `kind` replaces: keys of the old kind mean nothing to the new one.
- Overrides come last. Whatever their order on the command line, one of a table comes before one
  of something inside it, and a `kind` before the keys beside it; of two of one path, the later.
"""

import copy
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

from jaxpot.paths import expanded
from jaxpot.spec.faults import Fault, Origin, Path, SpecError, dotted, quoted
from jaxpot.spec.source.extends import Override, gather, read_override
from jaxpot.spec.source.reading import walk
from jaxpot.spec.wording import NONE

_INDEX = re.compile(r"[0-9]{1,6}")


class _Dropped:
    """Stands for a value that was taken away, because the table around it was replaced."""

    def __repr__(self) -> str:
        return "DROPPED"


DROPPED: Final = _Dropped()


@attrs.frozen
class Written:
    """What one place said about a path: a value, or `DROPPED`."""

    value: object
    origin: Origin


@attrs.frozen
class Provenance:
    """The history of every path that some file or override mentions, oldest first."""

    file: str
    trails: Mapping[Path, tuple[Written, ...]]

    def trail(self, path: Path) -> tuple[Written, ...]:
        """Return all that was said about `path`, oldest first; the last one holds.

        Empty for a value that was not given, and a default for one whose last entry is `DROPPED`.
        """
        return self.trails.get(path, ())

    def origin(self, path: Path) -> Origin | None:
        """Return where the value at `path` was written; None for a default."""
        trail = self.trail(path)
        return trail[-1].origin if trail and trail[-1].value is not DROPPED else None

    def removed(self, path: Path) -> bool:
        """Return whether the last word about the table or array at `path` is that there is none."""
        return any(written.value == NONE for written in self.trail(path)[-1:])

    def nearest(self, path: Path) -> Origin:
        """Return where `path` or, if it is not there, the closest table around it was written."""
        for end in range(len(path), 0, -1):
            origin = self.origin(path[:end])
            if origin is not None:
                return origin
        return Origin(self.file)


@attrs.frozen
class Document:
    """Composed values, where each came from, and the files that were read, the spec's own first."""

    data: dict[str, Any]
    provenance: Provenance
    files: tuple[str, ...]


def compose(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Document:
    """Read a spec file with all that it extends, and applies overrides.

    Raises:
      SpecError: a file or an override cannot be read; the faults of all of them.
    """
    name = os.fspath(expanded(path))
    sources, files, faults = gather(name)
    read: list[Override] = []
    for text in overrides:
        try:
            read.append(read_override(text))
        except SpecError as error:
            faults.extend(error.faults)
    readable = not faults
    merged = _Merge()
    for source in sources:
        merged.table(merged.data, source.data, (), source.origin)
    for override in sorted(read, key=lambda o: (len(o.path), o.path[-1] != "kind")):
        fault = merged.override(override)
        if fault is not None and readable:
            faults.append(fault)
    if readable:
        faults += merged.faults
    if faults:
        raise SpecError(faults)
    merged.close_gaps()
    trails = {path: tuple(trail) for path, trail in merged.trails.items()}
    return Document(merged.data, Provenance(name, trails), files)


class _Merge:
    """Values under composition, with the history of every path."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.trails: dict[Path, list[Written]] = {}
        self.faults: list[Fault] = []
        self.gaps: list[tuple[list[Any], Path]] = []  # arrays with items that were removed

    def table(
        self, old: dict[str, Any], new: dict[str, Any], at: Path, origin: Callable[[Path], Origin]
    ) -> None:
        """Merge the table `new` into `old`, which stands at the path `at`."""
        self.change_kind(old, new.get("kind"), at, origin((*at, "kind")))
        for key, value in new.items():
            path = (*at, key)
            below = old.get(key)
            if isinstance(below, dict) and isinstance(value, dict):
                if below and not value:
                    self.faults.append(_empty_table(path, origin(path)))
                self.write(path, value, origin(path))
                self.table(below, value, path, origin)
            else:
                self.replace(old, key, value, path, origin)

    def override(self, override: Override) -> Fault | None:
        """Apply an override; a fault if it indexes an array where there is nothing."""
        node: Any = self.data
        at: Path = ()
        value = override.value
        for depth, part in enumerate(override.path, start=1):
            if isinstance(node, list):
                if not _INDEX.fullmatch(part) or int(part) >= len(node):
                    return _index_fault(override, at, part, len(node))
                key = int(part)
                below = node[key]
            else:
                key = part
                below = node.get(key)
            at = (*at, key)
            rest = override.path[depth:]
            if rest and isinstance(below, (dict, list)):
                node = below
                continue
            for name in reversed(rest):
                value = {name: value}
            if isinstance(node, dict):
                self.table(node, {part: value}, at[:-1], lambda _: override.origin)
            else:
                self.replace(node, key, value, at, lambda _: override.origin)
            break
        return None

    def change_kind(self, table: dict[str, Any], kind: object, at: Path, origin: Origin) -> None:
        """Empty a table whose `kind` is about to become another one."""
        old = table.get("kind")
        if isinstance(kind, str) and isinstance(old, str) and kind != old:
            for path, _ in walk(table, at):
                self.write(path, DROPPED, origin)
            table.clear()

    def replace(
        self, node: Any, key: str | int, value: object, at: Path, origin: Callable[[Path], Origin]
    ) -> None:
        """Put a copy of `value` where anything, or nothing, was."""
        present = isinstance(key, int) or key in node
        for path, _ in walk(node[key] if present else None, at):
            self.write(path, DROPPED, origin(at))
        if value == NONE and present and isinstance(node[key], (dict, list)):
            self.remove(node, key, at)
        else:
            node[key] = copy.deepcopy(value)
        self.write(at, value, origin(at))
        for path, child in walk(value, at):
            self.write(path, child, origin(path))

    def remove(self, node: Any, key: str | int, at: Path) -> None:
        """Take a table or an array away; an array keeps a gap, so that indices stay."""
        if isinstance(node, dict):
            del node[key]
        else:
            node[key] = None
            self.gaps.append((node, at[:-1]))

    def close_gaps(self) -> None:
        """Move the items of arrays, and their histories, to where removed ones stood."""
        for items, at in sorted(self.gaps, key=lambda gap: -len(gap[1])):
            kept = [index for index, item in enumerate(items) if item is not None]
            moved = {old: new for new, old in enumerate(kept)}
            trails: dict[Path, list[Written]] = {}
            for path, trail in self.trails.items():
                below = path[len(at) :]
                if path[: len(at)] != at or not below:
                    trails[path] = trail
                elif below[0] in moved:
                    trails[(*at, moved[below[0]], *below[1:])] = trail
            self.trails = trails
            items[:] = [items[index] for index in kept]

    def write(self, path: Path, value: object, origin: Origin) -> None:
        self.trails.setdefault(path, []).append(Written(value, origin))


def _empty_table(path: Path, origin: Origin) -> Fault:
    message = "an empty table changes nothing of the one that it is merged into"
    allowed = f'keys to change, or `{dotted(path)} = "{NONE}"`, which removes it'
    return Fault("empty-table", path, message, allowed, origin=origin)


def _index_fault(override: Override, at: Path, part: str, length: int) -> Fault:
    allowed = f"0..{length - 1}" if length else ""
    message = f"no element {quoted(part)}; the array has {length}"
    return Fault("override-index", at, message, allowed, origin=override.origin)
