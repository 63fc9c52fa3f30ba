"""Origins of recorded iterations (machine, versions, code, spec), and how two of them differ.

`jaxpot verify` refuses to compare bits where the machine or versions differ; `jaxpot bisect` lists
every difference as a suspect, most suspicious first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs

from jaxpot.journal import Attempt, Header, as_dict, records
from jaxpot.loop.environment import instruction_set
from jaxpot.loop.provenance import ROWS, provenance, rows_of
from jaxpot.spec import diff
from jaxpot.verify.rerun import MAX_ISA, Settings

BY_DESIGN = "trains something else"
LAST_BITS = "can change bits"
CODE = "may be other code"
HARMLESS = "should change no bit"

_STARTED_WITH = ("nproc", "xla_flags", "environ")
_HARDWARE = ("platform", "device_kind", "device_count", "isa")
_SYSTEM = ("os", "arch")
# Packages that compute come first; the others cannot reach a number.
_COMPUTING = ("jaxlib", "jax", "flax", "optax", "numpy", "pgx", "mctx")
_OF_TRAINING = (
    *("env", "model", "algorithm", "auxiliary", "optimizer", "collect", "league", "target"),
)


@attrs.frozen(kw_only=True)
class Origin:
    """Everything that an iteration depends on: its spec, the journal's header, the attempt."""

    spec: dict[str, Any]
    header: dict[str, Any]
    attempt: dict[str, Any]


@attrs.frozen(kw_only=True)
class Suspect:
    """One difference between the origins of two runs.

    Attributes:
        what: Its name: a spec's path, a package, a setting.
        kind: `spec`, `start`, `contract`, `version`, `setting`, `code` or `host`.
        reason: What such a difference can do.
    """

    what: str
    kind: str
    a: Any
    b: Any
    reason: str


def attempts_between(journal: Path, start: int, stop: int) -> list[dict[str, Any]]:
    """Return the attempts that the live rows of iterations `start` to `stop` are from, in order."""
    attempts = [as_dict(attempt) for attempt in records(journal, Attempt)]
    found = []
    for index, attempt in enumerate(attempts):
        later = [each["start_iter"] for each in attempts[index + 1 :]]
        if max(attempt["start_iter"], start) < min([stop, *later]):
            found.append(attempt)
    return found


def read_origin(journal: Path, iteration: int) -> Origin:
    """Read what the live row of an iteration depends on."""
    attempt = next(iter(attempts_between(journal, iteration, iteration + 1)), {})
    header: dict[str, Any] = {}
    spec: dict[str, Any] = {}
    for record in records(journal, Header, Attempt):
        if isinstance(record, Header):
            header = as_dict(record)
        elif record.attempt > attempt.get("attempt", 0):
            break
        spec = record.spec or spec
    return Origin(spec=spec, header=header, attempt=attempt)


def settings_of(attempt: Mapping[str, Any]) -> Settings:
    """Return the environment in which a child trains as an attempt did."""
    return Settings(
        nproc=attempt.get("nproc"),
        xla_flags=attempt.get("xla_flags") or "",
        platform=attempt.get("platform"),
        variables=attempt.get("environ"),
    )


def settings_for_bits(attempt: Mapping[str, Any]) -> Settings:
    """Return the environment in which a child can make an attempt's bits again.

    As `settings_of`, but if the recorded instruction set is narrower than this machine's, XLA is
    limited to it.
    """
    flags, isa = attempt.get("xla_flags") or "", attempt.get("isa")
    capped = f"{flags} {MAX_ISA}={isa}".strip()
    if instruction_set(xla_flags=flags) != isa == instruction_set(xla_flags=capped):
        flags = capped
    return attrs.evolve(settings_of(attempt), xla_flags=flags)


def here(settings: Settings) -> dict[str, Any]:
    """Return what is known about a child under `settings` before it starts."""
    isa = instruction_set(xla_flags=settings.xla_flags)
    return provenance() | {"isa": isa, "rows": ROWS}


def differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Describe what differs between two attempts and makes their bits incomparable.

    What is unknown of one side is skipped.
    """
    then, now = ({**side, "rows": rows_of(side)} for side in (then, now))
    names = (*_SYSTEM, *_HARDWARE, "contract", "rows")
    found = [each for each in _changed(then, now, names) if None not in each[1:]]
    return _texts(found) + differing_versions(then, now)


def differing_versions(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Describe which packages differ between two attempts."""
    old, new = then.get("versions") or {}, now.get("versions") or {}
    return [
        f"{package}: {x or 'absent'} then, {y or 'absent'} now"
        for package, x, y in _changed(old, new, sorted(old.keys() | new.keys()))
    ]


def moved_within(attempts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Describe what changed from one attempt to the next; one re-run cannot follow such a move."""
    return [
        f"between attempts {before['attempt']} and {after['attempt']}, {text}"
        for before, after in pairwise(attempts)
        for text in differing(before, after) + _texts(_changed(before, after, _STARTED_WITH))
    ]


def code_of(attempt: Mapping[str, Any]) -> str:
    """Name an attempt's code: its commit, and whether there were uncommitted changes."""
    commit = attempt.get("git_commit")
    if not commit:
        return "no commit"
    return f"{commit[:12]}{' with changes' if attempt.get('git_dirty') else ''}"


def suspects(a: Origin, b: Origin) -> tuple[Suspect, ...]:
    """List what differs, most suspicious first; nothing for two runs of one spec in one place.

    First comes what trains something else by design, then what can change the last bits of a
    number, then the code, then what should change nothing.
    """
    settings = (*_HARDWARE, *_STARTED_WITH, *_SYSTEM)
    found = [*_of_specs(a, b), *_of_start(a, b), *_of_versions(a, b)]
    found += [*_of_attempts(a, b, settings, "setting", LAST_BITS), *_of_code(a, b)]
    found += [*_of_attempts(a, b, ("host", "python"), "host", HARMLESS)]
    order = (BY_DESIGN, LAST_BITS, CODE, HARMLESS)
    return tuple(sorted(found, key=lambda each: order.index(each.reason)))


def _of_specs(a: Origin, b: Origin) -> Iterator[Suspect]:
    for path, x, y in diff(a.spec, b.spec):
        reason = BY_DESIGN if _trains(path, a.spec, b.spec) else HARMLESS
        # The thread count is listed with the settings, as it came out.
        if path != "runtime.nproc":
            yield Suspect(what=path, kind="spec", a=x, b=y, reason=reason)


def _trains(path: str, *specs: Mapping[str, Any]) -> bool:
    """Return whether a spec's value, or the seed, can change training's bits."""
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
    yield from _of_attempts(a, b, ("contract",), "contract", BY_DESIGN)
    x, y = rows_of(a.attempt), rows_of(b.attempt)
    if x != y:
        yield Suspect(what="rows", kind="contract", a=x, b=y, reason=BY_DESIGN)


def _of_versions(a: Origin, b: Origin) -> Iterator[Suspect]:
    old, new = a.attempt.get("versions") or {}, b.attempt.get("versions") or {}
    first = (*_COMPUTING, "jaxpot")
    for package, x, y in _changed(old, new, [*first, *sorted({*old, *new} - set(first))]):
        reason = LAST_BITS if package in _COMPUTING else CODE if package == "jaxpot" else HARMLESS
        yield Suspect(what=package, kind="version", a=x, b=y, reason=reason)


def _of_code(a: Origin, b: Origin) -> Iterator[Suspect]:
    commits = list(_of_attempts(a, b, ("git_commit",), "code", CODE))
    yield from commits
    dirty = [origin.attempt.get("git_dirty") for origin in (a, b)]
    if any(dirty) or (None in dirty and not commits):
        # Uncommitted changes, or code outside a repository, may differ without a trace.
        yield Suspect(what="git_dirty", kind="code", a=dirty[0], b=dirty[1], reason=CODE)


def _of_attempts(
    a: Origin, b: Origin, names: tuple[str, ...], kind: str, reason: str
) -> Iterator[Suspect]:
    for name, x, y in _changed(a.attempt, b.attempt, names):
        yield Suspect(what=name, kind=kind, a=x, b=y, reason=reason)


def _changed(
    a: Mapping[str, Any], b: Mapping[str, Any], names: Iterable[str]
) -> Iterator[tuple[str, Any, Any]]:
    """Yield the names whose values differ, and both values; older records lack newer names."""
    for name in names:
        x, y = a.get(name), b.get(name)
        if (x or None) != (y or None):
            yield name, x, y


def _texts(changed: Iterable[tuple[str, Any, Any]]) -> list[str]:
    return [f"{name}: {x} then, {y} now" for name, x, y in changed]
