"""Where two sides trained: what has to be equal before their bits can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from jaxpot.journal import Attempt, as_dict, records
from jaxpot.loop.provenance import instruction_set, provenance
from jaxpot.loop.record import ROWS, rows_of
from jaxpot.verify.rerun import Settings

MACHINE = ("os", "arch", "platform", "device_kind", "device_count", "isa", "contract", "rows")
_STARTED_WITH = ("nproc", "xla_flags", "environ")


def attempts_between(path: Path, start: int, stop: int) -> list[dict[str, Any]]:
    """Returns the attempts whose rows count for iterations `start` to `stop`, oldest first."""
    attempts = [as_dict(attempt) for attempt in records(path, Attempt)]
    found = []
    for index, attempt in enumerate(attempts):
        later = [each["start_iter"] for each in attempts[index + 1 :]]
        if max(attempt["start_iter"], start) < min([stop, *later]):
            found.append(attempt)
    return found


def settings_of(attempt: Mapping[str, Any]) -> Settings:
    """Returns what a child starts with, to train as an attempt did."""
    return Settings(
        nproc=attempt.get("nproc"),
        xla_flags=attempt.get("xla_flags") or "",
        platform=attempt.get("platform"),
        variables=attempt.get("environ"),
    )


def here(settings: Settings) -> dict[str, Any]:
    """Returns what is known of a child under `settings` before it starts."""
    found = provenance()
    return found | {"isa": instruction_set(xla_flags=settings.xla_flags), "rows": ROWS}


def differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Says what differs between two sides and makes their bits incomparable.

    Where a side does not know something, it is passed over.
    """
    then, now = ({**side, "rows": rows_of(side)} for side in (then, now))
    texts = [
        f"{what}: {then[what]} then, {now[what]} now"
        for what in MACHINE
        if None not in (then.get(what), now.get(what)) and then[what] != now[what]
    ]
    return texts + differing_versions(then, now)


def differing_versions(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Says which packages differ between two sides."""
    old, new = then.get("versions") or {}, now.get("versions") or {}
    return [
        f"{package}: {old.get(package, 'absent')} then, {new.get(package, 'absent')} now"
        for package in sorted(old.keys() | new.keys())
        if old.get(package) != new.get(package)
    ]


def moved_within(attempts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Says what changed from one attempt to the next, so that no one re-run can follow it all."""
    texts: list[str] = []
    for before, after in pairwise(attempts):
        changed = differing(before, after)
        changed += [
            f"{what}: {before.get(what)} then, {after.get(what)} now"
            for what in _STARTED_WITH
            if (before.get(what) or None) != (after.get(what) or None)
        ]
        texts += [
            f"between attempts {before['attempt']} and {after['attempt']}, {text}"
            for text in changed
        ]
    return texts


def code_of(attempt: Mapping[str, Any]) -> str:
    """Names the code of an attempt: its commit, and whether that was changed."""
    commit = attempt.get("git_commit")
    if not commit:
        return "no commit"
    return f"{commit[:12]}{' with changes' if attempt.get('git_dirty') else ''}"
