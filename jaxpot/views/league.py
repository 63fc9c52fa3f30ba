"""The league in a picture: the strongest entries, and how many there are."""

from __future__ import annotations

from rich.text import Text

from jaxpot import formatting as words
from jaxpot.views.standings import Entry, Standings, is_recalled

_MOST_ENTRIES = 8
_LEAST_COUNTED = 4
_NAME, _SCORE, _ROLLOUTS = 15, 10, 11


def league_lines(standings: Standings, room: int) -> list[Text]:
    """Draws the strongest entries in at most `room` lines, and counts those that it leaves out.

    Args:
        standings: What there is to draw.
        room: Lines, at least one. With few of them, only the title counts what is left out.
    """
    entries = standings.entries
    most = min(_MOST_ENTRIES, room - 1)
    if most < len(entries) and room >= _LEAST_COUNTED:
        most = min(_MOST_ENTRIES, room - 2)
    columns = f"{'score':>{_SCORE}}{'rollouts':>{_ROLLOUTS}}   "
    title = Text.assemble(
        ("league".ljust(_NAME), "bold"),
        (f"{columns}{standings.sizes} at {standings.done}", "dim"),
    )
    lines = [title, *(_line(entry) for entry in entries[:most])]
    if len(entries) > most and room >= _LEAST_COUNTED:
        lines.append(Text(f"and {len(entries) - most} more", style="dim"))
    return lines


def _line(entry: Entry) -> Text:
    name = str(entry["name"])[: _NAME - 1].ljust(_NAME)
    score = words.number(float(entry["score"])).rjust(_SCORE)
    rollouts = words.count(entry["rollouts"]).rjust(_ROLLOUTS)
    line = Text(f"{name}{score}{rollouts}   {entry['place']}")
    return line.append(", active", style="yellow") if is_recalled(entry) else line
