"""Journals as tables, for tests that compare what a run recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from jaxpot import journal


def records(path: Path, *, kinds: Collection[str] = (), start: int = 0) -> Iterator[dict[str, Any]]:
    """Yields a journal's records as tables, None for what they do not say."""
    classes = [journal.KINDS[kind] for kind in kinds]
    yield from map(journal.as_dict, journal.records(path, *classes, start=start))


def live_payloads(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the payloads that count as tables."""
    yield from map(journal.as_dict, journal.live_payloads(path))


def read_header(path: Path) -> dict[str, Any] | None:
    """Gives a journal's header as a table."""
    header = journal.read_header(path)
    return None if header is None else journal.as_dict(header)
