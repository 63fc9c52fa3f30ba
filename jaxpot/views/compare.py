"""Compare runs key by key: which keys, each group's values, and which group is ahead."""

from __future__ import annotations

import difflib
import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import attrs

from jaxpot.errors import UserError
from jaxpot.statistics import Spread, Welch, spread_of, welch
from jaxpot.views.groups import Difference, Group, Run, differences, grouped, read_runs

if TYPE_CHECKING:
    import duckdb


_LAST = "SELECT uid, key, iter, value FROM latest WHERE list_contains($1, uid)"
_BEST = """
SELECT uid, key, min_iter, min, max_iter, max FROM best WHERE list_contains($1, uid)
"""
_AT = """
SELECT uid, key, max(iter), arg_max(value, iter) FROM metric
WHERE list_contains($1, uid) AND iter <= $2 GROUP BY uid, key
"""
_KEYS = """
SELECT k.name FROM keys AS k JOIN runs AS r USING (run_id) WHERE list_contains($1, r.uid)
GROUP BY k.name ORDER BY min(k.key_id), k.name
"""


class Value(NamedTuple):
    """A run's value of a key, and the iteration that had it."""

    iter: int
    value: float


@attrs.frozen
class KeyComparison:
    """One key: each run's value, each group's spread, and who is ahead."""

    key: str
    sense: str | None
    values: Mapping[str, Value]
    spreads: Mapping[str, Spread]
    lead: Lead


@attrs.frozen
class Comparison:
    """Everything that a comparison of runs shows."""

    at: str
    runs: list[Run]
    groups: list[Group]
    differences: list[Difference]
    keys: list[KeyComparison]
    notes: list[str]


def recorded_keys(connection: duckdb.DuckDBPyConnection, uids: Sequence[str]) -> list[str]:
    """Give every key that one of the runs declared, in the order of the payload."""
    return [row[0] for row in connection.execute(_KEYS, [list(uids)]).fetchall()]


def compare(
    connection: duckdb.DuckDBPyConnection,
    uids: Sequence[str],
    *,
    keys: Sequence[str] = (),
    every: bool = False,
    at: str | int = "last",
    separate: bool = False,
) -> Comparison:
    """Compare runs.

    Args:
        connection: An open database.
        uids: The runs.
        keys: Names and globs of the keys to show; a choice of evaluations and losses without any.
        every: Show all keys.
        at: `last`, `best`, or an iteration: then each key's newest value up to there counts.
        separate: Take every run by itself.

    Raises:
        UserError: a run is not in the database, or nothing is called as `keys` says.
    """
    runs = read_runs(connection, uids)
    order = [run.uid for run in runs]
    groups, notes = grouped(runs, differences(connection, runs), separate=separate)
    runs = _by_group(runs, groups)
    found = differences(connection, runs)
    known = recorded_keys(connection, order)
    wanted = known if every else chosen_keys(keys, known) if keys else default_keys(known)
    values = _values(connection, order, at)
    shown = [_key(key, groups, values.get(key, {})) for key in wanted]
    if not keys or at == "best":
        shown = [one for one in shown if one.values]
    notes += [*_lengths(runs, at), *_evaluators(found)]
    if any(one.lead.why == SINGLE for one in shown):
        notes.append("n = 1: a single run has no standard error; who is ahead may be chance")
    return Comparison(str(at), runs, groups, found, shown, notes)


def _by_group(runs: Sequence[Run], groups: Sequence[Group]) -> list[Run]:
    """Put each group's runs side by side, and those of no group behind."""
    taken = [run for group in groups for run in group.runs]
    return [*taken, *(run for run in runs if run not in taken)]


def _values(
    connection: duckdb.DuckDBPyConnection, uids: list[str], at: str | int
) -> dict[str, dict[str, Value]]:
    """Give values by key and uid."""
    found: dict[str, dict[str, Value]] = {}
    if at == "best":
        for uid, key, least_iter, least, most_iter, most in connection.execute(
            _BEST, [uids]
        ).fetchall():
            match sense_of(key):
                case "up":
                    found.setdefault(key, {})[uid] = Value(most_iter, most)
                case "down":
                    found.setdefault(key, {})[uid] = Value(least_iter, least)
                case _:
                    pass  # neither end of what has no sense is its best
        return found
    query, parameters = (_LAST, [uids]) if at == "last" else (_AT, [uids, at])
    for uid, key, iteration, value in connection.execute(query, parameters).fetchall():
        found.setdefault(key, {})[uid] = Value(iteration, value)
    return found


def _key(key: str, groups: Sequence[Group], values: Mapping[str, Value]) -> KeyComparison:
    spreads = {
        group.label: spread_of(mine)
        for group in groups
        if (mine := [values[uid].value for uid in group.uids if uid in values])
    }
    sense = sense_of(key)
    return KeyComparison(key, sense, values, spreads, lead_of(sense, spreads))


def _lengths(runs: Sequence[Run], at: str | int) -> list[str]:
    lengths = sorted({run.iterations for run in runs})
    notes: list[str] = []
    if isinstance(at, int):
        short = [run.uid for run in runs if run.iterations <= at]
        if short:
            notes.append(f"not at iteration {at} yet, their last is shown: {', '.join(short)}")
    elif len(lengths) > 1:
        least = lengths[0]
        fair = f"; `jaxpot compare --at {least - 1}` takes equal ones" if least else ""
        notes.append(f"the runs have from {least} to {lengths[-1]} iterations{fair}")
    unfinished = [run.uid for run in runs if run.status == "running"]
    if unfinished:
        notes.append(f"still running: {', '.join(unfinished)}")
    return notes


def _evaluators(found: Sequence[Difference]) -> list[str]:
    """Say which evaluators are set otherwise: the same key then is another measurement."""
    paths = [difference.path.split(".") for difference in found]
    names = dict.fromkeys(path[1] for path in paths if path[0] == "eval" and len(path) > 2)
    return [
        f"eval.{name} is not set alike in all runs: its keys measure other things" for name in names
    ]


_UP = frozenset({"win_rate", "won", "avg_reward", "reward", "elo", "sps"})
_DOWN = frozenset({"lose_rate", "lost", "exploitability", "nash_conv"})
_EVALUATION = "eval_"
_GLOB = frozenset("*?[")
_LISTED = 6


def sense_of(key: str) -> str | None:
    """Give `up` where more is better, `down` where less is, None where neither is known."""
    last = key.rpartition("/")[2]
    if last in _UP:
        return "up"
    return "down" if last in _DOWN or last.endswith("_loss") else None


def default_keys(keys: Iterable[str]) -> list[str]:
    """Give the keys that tell how good runs are: evaluations, losses, and the speed.

    Evaluations split by seat are left out, and so are rates that are 1 less the others. Where no
    key is such a one, as in the log of another program, every key is given.
    """
    names = list(keys)
    evaluations = [
        key
        for key in names
        if key.startswith(_EVALUATION)
        and key.count("/") == 1
        and not key.endswith(("/draw_rate", "/done_rate", "/drawn"))
    ]
    losses = [key for key in names if "/" not in key and key.endswith("_loss")]
    found = [*evaluations, *losses, *(key for key in names if key == "iteration/sps")]
    return found or names


def chosen_keys(wanted: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Give the keys that names and globs stand for, in the order of `wanted`, each once.

    Raises:
        UserError: one of them stands for none; the nearest are named.
    """
    found: dict[str, None] = {}
    for pattern in wanted:
        if pattern in keys:
            matches = [pattern]
        elif _GLOB & set(pattern):
            matches = [key for key in keys if fnmatch.fnmatchcase(key, pattern)]
        else:
            matches = []
        if not matches:
            raise UserError(_unknown(pattern, keys))
        found |= dict.fromkeys(matches)
    return list(found)


def _unknown(pattern: str, keys: Sequence[str]) -> str:
    if not keys:
        return f"no key {pattern!r}: nothing is recorded yet"
    near = difflib.get_close_matches(pattern, keys, n=_LISTED // 2, cutoff=0.6)
    inside = [key for key in keys if pattern.strip("*") in key and key not in near]
    shown = [*near, *inside][:_LISTED] if pattern.strip("*") else []
    if shown:
        return f"no key {pattern!r}; did you mean {' or '.join(map(repr, shown))}?"
    more = ", ..." if len(keys) > _LISTED else ""
    return f"no key {pattern!r}; there are {', '.join(keys[:_LISTED])}{more}"


SINGLE = "n = 1"
"""Why no distance is told: one of the two is a single run, which has no standard error."""


@attrs.frozen
class Lead:
    """Who is ahead in a key.

    Attributes:
        best: Label of the group with the best mean; None where nothing can be said.
        second: Label of the next.
        welch: The distance between the two; None where one of them is a single run.
        why: Why nothing, or no number of standard errors, can be said; empty where it can.
    """

    best: str | None
    second: str | None
    welch: Welch | None
    why: str = ""


def lead_of(sense: str | None, spreads: Mapping[str, Spread]) -> Lead:
    """Compare the two best groups of a key.

    Args:
        sense: Which way it is better: `up`, `down` or None.
        spreads: The groups' values, by their labels.
    """
    if sense is None:
        return Lead(None, None, None, "no better or worse")
    finite = {label: spread for label, spread in spreads.items() if math.isfinite(spread.mean)}
    if len(finite) < 2:
        return Lead(None, None, None, "nobody to compare with")
    sign = 1.0 if sense == "up" else -1.0
    ranked = sorted(finite, key=lambda label: -sign * finite[label].mean)
    best, second = finite[ranked[0]], finite[ranked[1]]
    if best.mean == second.mean:
        return Lead(None, None, welch(best, second), "equal")
    apart = welch(best, second)
    return Lead(ranked[0], ranked[1], apart, "" if apart else SINGLE)
