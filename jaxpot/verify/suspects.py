"""What differs between two runs apart from their numbers, most suspicious first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from jaxpot.journal import Attempt, Header, as_dict, records
from jaxpot.loop.record import rows_of
from jaxpot.spec import diff

BY_DESIGN = "trains something else"
LAST_BITS = "can change bits"
CODE = "may be other code"
HARMLESS = "should change no bit"

# Those that compute come first; the others cannot reach a number.
_COMPUTING = ("jaxlib", "jax", "flax", "optax", "numpy", "pgx", "mctx")
_OF_TRAINING = (
    *("env", "model", "algorithm", "auxiliary", "optimizer", "collect", "league", "target"),
)
_SETTINGS = (
    *("platform", "device_kind", "device_count", "isa", "nproc", "xla_flags", "environ"),
    *("os", "arch"),
)


@attrs.frozen(kw_only=True)
class Suspect:
    """One thing that two runs have not in common.

    Attributes:
        what: Its name: a spec's path, a package, a setting.
        kind: `spec`, `start`, `contract`, `version`, `setting`, `code` or `host`.
        a: The first run's value.
        b: The second run's value.
        reason: What such a difference does.
    """

    what: str
    kind: str
    a: Any
    b: Any
    reason: str


@attrs.frozen(kw_only=True)
class Origin:
    """Where an iteration of a run comes from.

    Attributes:
        spec: The resolved spec that was in force.
        header: The journal's header.
        attempt: The record of the attempt that ran it.
    """

    spec: dict[str, Any]
    header: dict[str, Any]
    attempt: dict[str, Any]


def read_origin(journal: Path, attempt: int) -> Origin:
    """Reads where the iterations of an attempt come from."""
    header: dict[str, Any] = {}
    found: dict[str, Any] = {}
    spec: dict[str, Any] = {}
    for record in records(journal, Header, Attempt):
        if isinstance(record, Attempt) and record.attempt > attempt:
            break
        spec = record.spec or spec
        if isinstance(record, Header):
            header = as_dict(record)
        else:
            found = as_dict(record)
    return Origin(spec=spec, header=header, attempt=found)


def suspects(a: Origin, b: Origin) -> tuple[Suspect, ...]:
    """Returns what differs, most suspicious first; two runs of one spec and place differ in none.

    What trains something else by design comes first, then what can change the last bits of a
    number, then the code, then what should change nothing.
    """
    found = [*_of_specs(a, b), *_of_start(a, b), *_of_versions(a, b)]
    found += [*_plain(a, b, _SETTINGS, "setting", LAST_BITS), *_of_code(a, b)]
    found += [*_plain(a, b, ("host", "python"), "host", HARMLESS)]
    order = (BY_DESIGN, LAST_BITS, CODE, HARMLESS)
    return tuple(sorted(found, key=lambda each: order.index(each.reason)))


def _of_specs(a: Origin, b: Origin) -> Iterator[Suspect]:
    for path, x, y in diff(a.spec, b.spec):
        reason = BY_DESIGN if _trains(path, a.spec, b.spec) else HARMLESS
        # With the settings it is said what came of it.
        if path != "runtime.nproc":
            yield Suspect(what=path, kind="spec", a=x, b=y, reason=reason)


def _trains(path: str, *specs: Mapping[str, Any]) -> bool:
    """Says whether a spec's value can change training's bits, the seed's included."""
    if path in ("seed", "runtime.deterministic", "runtime.devices"):
        return True
    section, _, rest = path.partition(".")
    if section == "eval":
        # An evaluation of the archive moves the league's scores.
        kinds = [spec.get("eval", {}).get(rest.partition(".")[0], {}).get("kind") for spec in specs]
        return "archive" in kinds
    return section in _OF_TRAINING and path != "league.log_every"


def _of_start(a: Origin, b: Origin) -> Iterator[Suspect]:
    if a.header.get("parent_sha256") != b.header.get("parent_sha256"):
        x, y = a.header.get("parent"), b.header.get("parent")
        yield Suspect(what="init_from", kind="start", a=x, b=y, reason=BY_DESIGN)
    for what, x, y in (
        ("contract", a.attempt.get("contract"), b.attempt.get("contract")),
        ("rows", rows_of(a.attempt), rows_of(b.attempt)),
    ):
        if x != y:
            yield Suspect(what=what, kind="contract", a=x, b=y, reason=BY_DESIGN)


def _of_versions(a: Origin, b: Origin) -> Iterator[Suspect]:
    old, new = a.attempt.get("versions") or {}, b.attempt.get("versions") or {}
    known = [*_COMPUTING, "jaxpot", *sorted({*old, *new} - {*_COMPUTING, "jaxpot"})]
    for package in known:
        x, y = old.get(package), new.get(package)
        reason = HARMLESS
        if package in _COMPUTING:
            reason = LAST_BITS
        elif package == "jaxpot":
            reason = CODE
        if x != y:
            yield Suspect(what=package, kind="version", a=x, b=y, reason=reason)


def _of_code(a: Origin, b: Origin) -> Iterator[Suspect]:
    commits = list(_plain(a, b, ("git_commit",), "code", CODE))
    yield from commits
    dirty = [origin.attempt.get("git_dirty") for origin in (a, b)]
    if any(dirty) or (None in dirty and not commits):
        # Changes that were not committed, or code that is in no repository, may differ unseen.
        yield Suspect(what="git_dirty", kind="code", a=dirty[0], b=dirty[1], reason=CODE)


def _plain(
    a: Origin, b: Origin, names: tuple[str, ...], kind: str, reason: str
) -> Iterator[Suspect]:
    for name in names:
        x, y = a.attempt.get(name), b.attempt.get(name)
        if (x or None) != (y or None):  # an older record has none of the newer fields
            yield Suspect(what=name, kind=kind, a=x, b=y, reason=reason)
