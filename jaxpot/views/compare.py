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
_UP = frozenset({"win_rate", "won", "avg_reward", "reward", "elo", "sps"})
_DOWN = frozenset({"lose_rate", "lost", "exploitability", "nash_conv"})
_EVALUATION = "eval_"
_GLOB = frozenset("*?[")
_LISTED = 6
SINGLE = "n = 1"
"""Why there is no distance: one of the two is a single run, which has no standard error."""


class Value(NamedTuple):
    """A run's value of a key and its iteration."""

    iter: int
    value: float


@attrs.frozen
class KeyComparison:
    """One key: each run's value, each group's mean, and which group is ahead."""

    key: str
    sense: str | None
    values: Mapping[str, Value]
    spreads: Mapping[str, Spread]
    lead: Lead


@attrs.frozen
class Comparison:
    """The result of `compare`."""

    at: str
    runs: list[Run]
    groups: list[Group]
    differences: list[Difference]
    keys: list[KeyComparison]
    notes: list[str]


def recorded_keys(connection: duckdb.DuckDBPyConnection, uids: Sequence[str]) -> list[str]:
    """Return every key that one of the runs declared, in the payload's order."""
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
        keys: Names and globs of keys; without any, evaluations and losses.
        every: Show all keys.
        at: `last`, `best`, or an iteration: each key's newest value up to that iteration.
        separate: Do not group seeds of one experiment.

    Raises:
        UserError: A run is not in the database, or no key matches one of `keys`.
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
    """Put each group's runs side by side, and runs without a group last."""
    taken = [run for group in groups for run in group.runs]
    return [*taken, *(run for run in runs if run not in taken)]


def _values(
    connection: duckdb.DuckDBPyConnection, uids: list[str], at: str | int
) -> dict[str, dict[str, Value]]:
    """Return values by key and uid."""
    found: dict[str, dict[str, Value]] = {}
    if at == "best":
        for uid, key, *ends in connection.execute(_BEST, [uids]).fetchall():
            if (sense := sense_of(key)) is not None:  # without one, neither end is the best
                found.setdefault(key, {})[uid] = Value(*(ends[:2] if sense == "down" else ends[2:]))
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
    """Warn about evaluators whose options differ: their keys measure different things."""
    paths = [difference.path.split(".") for difference in found]
    names = dict.fromkeys(path[1] for path in paths if path[0] == "eval" and len(path) > 2)
    return [
        f"eval.{name} is not set alike in all runs: its keys measure other things" for name in names
    ]


def sense_of(key: str) -> str | None:
    """Return `up` where more is better, `down` where less is, None where neither is known."""
    last = key.rpartition("/")[2]
    if last in _UP:
        return "up"
    return "down" if last in _DOWN or last.endswith("_loss") else None


def default_keys(keys: Iterable[str]) -> list[str]:
    """Choose the keys that say how good runs are: evaluations, losses and the speed.

    Evaluations of a single seat are left out, and rates that follow from the others. Where none is
    left, as in the log of another program, return every key.
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
    """Return the keys that match names and globs, in the order of `wanted`, each once.

    Raises:
        UserError: A name or glob matches no key; the message names the nearest keys.
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


@attrs.frozen
class Lead:
    """The group that is ahead in a key.

    Attributes:
        best: Label of the group with the best mean; None where no group is ahead.
        second: Label of the next group.
        welch: Distance between the two; None where one of them is a single run.
        why: Why no group is ahead, or why there is no distance; otherwise empty.
    """

    best: str | None
    second: str | None
    welch: Welch | None
    why: str = ""


def lead_of(sense: str | None, spreads: Mapping[str, Spread]) -> Lead:
    """Compare the two best groups of a key.

    Args:
        sense: The better direction: `up`, `down` or None.
        spreads: The groups' values, by label.
    """
    if sense is None:
        return Lead(None, None, None, "no better or worse")
    finite = {label: spread for label, spread in spreads.items() if math.isfinite(spread.mean)}
    if len(finite) < 2:
        return Lead(None, None, None, "no run to compare with")
    sign = 1.0 if sense == "up" else -1.0
    ranked = sorted(finite, key=lambda label: -sign * finite[label].mean)
    best, second = finite[ranked[0]], finite[ranked[1]]
    if best.mean == second.mean:
        return Lead(None, None, welch(best, second), "equal")
    apart = welch(best, second)
    return Lead(ranked[0], ranked[1], apart, "" if apart else SINGLE)
