"""The rules of league play in plain Python: entries in lists, oldest first, and NumPy's float32."""

import copy
from typing import Any

import attrs
import numpy as np

START = np.float32(-0.05)


@attrs.define(kw_only=True)
class Entry:
    """A frozen copy of the agent's past."""

    born: int
    params: Any
    score: np.float32 = START
    rollouts: int = 0
    active: bool = True

    @property
    def name(self) -> str:
        """The iterations that were done when it was frozen."""
        return f"iter_{self.born:06d}"


@attrs.define(kw_only=True)
class LeagueModel:
    """A league and its archive, each a list of entries from the oldest to the youngest."""

    size: int
    archive_size: int
    alpha: float
    margin: float
    league: list[Entry] = attrs.field(factory=list)
    archive: list[Entry] = attrs.field(factory=list)

    def add(self, born: int, params: Any) -> list[tuple[str, str]]:
        """Freezes the agent, prunes, and returns what happened as (event, name)."""
        self.league.append(Entry(born=born, params=copy.deepcopy(params)))
        events = [("league_add", self.league[-1].name)]
        while len(self.league) > self.size:
            weakest = max(self.league, key=lambda x: (x.score, x.born))
            self.league.remove(weakest)
            weakest.active = False
            self.archive.append(weakest)
            self.archive.sort(key=lambda x: x.born)
            events.append(("league_archive", weakest.name))
        while len(self.archive) > self.archive_size:
            inactive = [x for x in self.archive if not x.active]
            leaving = max(inactive or self.archive, key=lambda x: (x.score, x.born))
            self.archive.remove(leaving)
            events.append(("league_drop", leaving.name))
        return events

    def opponents(self, place: str) -> list[Entry]:
        """Returns whom a collector plays: the league, or the archive's active entries."""
        return self.league if place == "league" else [x for x in self.archive if x.active]

    def played(self, entry: Entry, reward: float, games: int) -> None:
        """Moves an entry's score by `games` finished games that gave `reward` in total."""
        if games:
            mean = np.float32(reward) / np.float32(games)
            alpha = np.float32(self.alpha)
            entry.score = (np.float32(1) - alpha) * entry.score + alpha * mean
            entry.rollouts += games

    def decide_activity(self) -> list[tuple[str, str]]:
        """Says, after an evaluation, who is forgotten, and returns what changed."""
        events = []
        for entry in self.archive:
            active = bool(entry.score < np.float32(self.margin))
            if active != entry.active:
                events.append(("league_recall" if active else "league_release", entry.name))
            entry.active = active
        return events


def weights(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Returns softmax(-score / temperature)."""
    preference = -np.asarray(scores, np.float32) / np.float32(temperature)
    powers = np.exp(preference - preference.max())
    return powers / powers.sum(dtype=np.float32)


def allocation(shares: np.ndarray, groups: int) -> list[int]:
    """Returns each opponent's groups, of which the shares' floors leave some to be given out."""
    exact = [np.float32(share) * np.float32(groups) for share in shares]
    counts = [int(np.floor(x)) for x in exact]
    fractions = [x - np.floor(x) for x in exact]
    by_fraction = sorted(range(len(exact)), key=lambda i: (-fractions[i], i))
    for i in by_fraction[: groups - sum(counts)]:
        counts[i] += 1
    return counts
