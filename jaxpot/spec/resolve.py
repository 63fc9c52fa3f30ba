"""The resolved form: one canonical plain-data image of an experiment, every default filled in.

It is made of dicts, lists, strings, booleans, integers and floats only, so it is TOML as well as
JSON, and it is itself a spec: `from_resolved(resolved(x)) == x`. What has no value is `"none"`.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from jaxpot.spec.configs.evaluators import ArchiveEvaluator
from jaxpot.spec.configs.experiment import Experiment
from jaxpot.spec.configs.parts import ImportedPart, thaw
from jaxpot.spec.faults import SpecError, dotted
from jaxpot.spec.fields import rules_of
from jaxpot.spec.structure import structure
from jaxpot.spec.wording import NONE

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def resolved(experiment: Experiment) -> dict[str, Any]:
    """Return the resolved form of an experiment."""
    return plain(experiment)


def from_resolved(data: Mapping[str, Any], *, import_user_code: bool = False) -> Experiment:
    """Make the experiment of a resolved form, as strictly as `load` reads a file.

    Raises:
      SpecError: with every fault, where `data` is not a spec.
    """
    experiment, faults, _ = structure(data, import_user_code=import_user_code)
    if experiment is None:
        raise SpecError(faults)
    return experiment


def plain(value: Any, *, sparse: bool = False) -> Any:
    """Return a spec value as plain data.

    Args:
      value: an experiment or anything in one.
      sparse: whether to leave out fields that have no value and need none, and those that are
        younger than their class and have their default.
    """
    if isinstance(value, ImportedPart):
        return {"kind": value.kind, **thaw(value.table)}
    if attrs.has(type(value)):
        table = {"kind": value.kind} if hasattr(value, "kind") else {}
        for field in attrs.fields(type(value)):
            item = getattr(value, field.name)
            implied = item is None or rules_of(field).later
            if not (sparse and implied and item == field.default):
                table[field.name] = plain(item, sparse=sparse)
        return table
    if isinstance(value, Mapping):
        return {key: plain(item, sparse=sparse) for key, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item, sparse=sparse) for item in value]
    return NONE if value is None else value


def diff(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return where two resolved forms differ, as `(dotted path, value in a, value in b)`.

    What is in only one of them is None in the other. Paths are in the order of `a`, then `b`.
    """
    in_a, in_b = dict(_leaves(a, ())), dict(_leaves(b, ()))
    paths = [*in_a, *(path for path in in_b if path not in in_a)]
    pairs = ((path, in_a.get(path), in_b.get(path)) for path in paths)
    return [(dotted(path), x, y) for path, x, y in pairs if type(x) is not type(y) or x != y]


def to_json(data: Mapping[str, Any]) -> str:
    """Write a resolved form as JSON, indented, keys in the spec's order."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_toml(data: Mapping[str, Any]) -> str:
    """Write a resolved form as TOML; reading it gives the same form again."""
    return "\n".join(_table_lines(data, ())).lstrip("\n") + "\n"


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    elif path:
        yield path, value


def _table_lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    # A table's own keys come before its sub-tables: after a header they would belong to it.
    for key, value in table.items():
        if not _has_header(value):
            yield f"{_key(key)} = {_inline(value)}"
    for key, value in table.items():
        if not _has_header(value):
            continue
        header = ".".join(map(_key, (*path, key)))
        if isinstance(value, Mapping):
            yield f"\n[{header}]"
            yield from _table_lines(value, (*path, key))
        else:
            for item in value:
                yield f"\n[[{header}]]"
                yield from _table_lines(item, (*path, key))


def _has_header(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, Mapping) for item in value)
    return isinstance(value, Mapping)


def _inline(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _string(value)
        case list():
            return f"[{', '.join(map(_inline, value))}]"
        case Mapping():
            pairs = (f"{_key(key)} = {_inline(item)}" for key, item in value.items())
            return f"{{ {', '.join(pairs)} }}"
        case _:
            return repr(value)


def _key(text: str) -> str:
    return text if _BARE_KEY.fullmatch(text) else _string(text)


def _string(text: str) -> str:
    # JSON's escapes are TOML's, but JSON leaves DEL as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


SPEC_VERSION = 2
"""Version of the spec language; it rises when a spec's meaning changes without its text."""


def spec_digest(experiment: Experiment) -> str:
    """Return the SHA-256 of everything that a spec says, as 64 hex digits."""
    return _digest(plain(experiment, sparse=True))


def training_digest(experiment: Experiment) -> str:
    """Return the SHA-256 of what can change training's bits, the seed apart.

    Runs of one experiment with other seeds, names, lengths, gates, evaluations, checkpoints or
    displays share it; not so with other evaluations of the archive, which move its scores.
    """
    runtime = experiment.runtime
    optional: dict[str, Any] = {}
    if experiment.league is not None:
        optional["league"] = plain(experiment.league, sparse=True)
        del optional["league"]["log_every"]  # a cadence of records only
    if experiment.target is not None:
        optional["target"] = plain(experiment.target, sparse=True)
    archive = {n: x for n, x in experiment.eval.items() if isinstance(x, ArchiveEvaluator)}
    if archive:
        optional["eval"] = plain(archive, sparse=True)
    if experiment.auxiliary:
        optional["auxiliary"] = plain(experiment.auxiliary, sparse=True)
    return _digest(
        {
            "env": plain(experiment.env, sparse=True),
            "model": plain(experiment.model, sparse=True),
            "algorithm": plain(experiment.algorithm, sparse=True),
            "optimizer": plain(experiment.optimizer, sparse=True),
            "collect": plain(experiment.collect, sparse=True),
            "runtime": {"deterministic": runtime.deterministic, "devices": runtime.devices},
            **optional,
        }
    )


def _digest(data: dict[str, Any]) -> str:
    # Fields without a value, and later ones at their default, are left out: so a new field leaves
    # every digest as it is.
    versioned = {"spec_version": SPEC_VERSION, "spec": data}
    text = json.dumps(versioned, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
