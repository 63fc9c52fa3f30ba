"""What the league holds, as the displays know it, and what changed in it, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

Entry = Mapping[str, Any]


@attrs.frozen(eq=False)
class Standings:
    """What the league and its archive hold, the strongest first, after `done` iterations."""

    done: int
    entries: Sequence[Entry] = ()

    @property
    def sizes(self) -> str:
        """How many there are of each kind: `8 entries, 12 archived, 2 active`."""
        archived = [entry for entry in self.entries if is_archived(entry)]
        held = len(self.entries) - len(archived)
        parts = [f"{held} {'entry' if held == 1 else 'entries'}"]
        if archived:
            parts.append(f"{len(archived)} archived")
            parts.append(f"{sum(map(is_recalled, archived))} active")
        return ", ".join(parts)

    def news(self, before: Standings) -> str:
        """Says what joined or was recalled since `before`; nothing where nothing did.

        A copy of the agent that is weaker than a full league goes on to the archive at once.
        """
        known = {entry["name"] for entry in before.entries}
        recalled = {entry["name"] for entry in before.entries if is_recalled(entry)}
        told = [
            f"{entry['name']} {'archived' if is_archived(entry) else 'joined'}"
            for entry in self.entries
            if entry["name"] not in known
        ]
        told += [
            f"{entry['name']} recalled"
            for entry in self.entries
            if is_recalled(entry) and entry["name"] not in recalled
        ]
        return ", ".join(told)


def is_archived(entry: Entry) -> bool:
    """Says whether an entry is in the archive."""
    return entry["place"] == "archive"


def is_recalled(entry: Entry) -> bool:
    """Says whether an entry of the archive is played again."""
    return is_archived(entry) and bool(entry["active"])
