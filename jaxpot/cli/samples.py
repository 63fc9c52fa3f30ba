"""`jaxpot samples`: the rows that a run trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from jaxpot.cli import options
from jaxpot.cli.completion import RUN
from jaxpot.cli.output import emit, emit_json
from jaxpot.errors import UserError

_SHOWN_ACTIONS = 9
# Fields that have their own line; all others are listed as numbers.
_SHOWN_APART = frozenset(
    {"collector", "lane", "game", "step", "ply", "seat", "observation", "board"}
    | {"legal_actions", "action", "reward", "done", "trained", "valid", "probabilities"}
)


@click.command("samples")
@click.argument("run", type=RUN)
@click.option(
    "--iteration",
    type=click.IntRange(1),
    metavar="N",
    help="The samples after N iterations, as in the file name. Default: the newest.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="N",
    help="The most rows to show.",
)
@options.json_option("The samples as one JSON object, with at most --limit rows.")
@options.runs_dir_option
def samples_command(run: str, iteration: int | None, limit: int, as_json: bool) -> None:
    """Show what RUN trained on: boards, moves, probabilities, advantages and returns.

    RUN is a run's uid or the start of one, a name, a tag, or `latest`.

    \b
    Examples:
      jaxpot run specs/ttt.toml -s 'debug={every=100}'
      jaxpot samples latest
      jaxpot samples ttt --iteration 200 --limit 5
      jaxpot samples ttt --json | jq .samples[0]

    A run writes samples to `samples/` in its folder if its spec has a table [debug]. Rows are in
    the order of their games, including the moves of opponents.
    """
    from jaxpot.store.runs import find
    from jaxpot.store.samples import dumps, read_samples

    found = find(options.current_runs_dir(), run)
    there = dumps(found.path)
    if not there:
        raise UserError(f"run {found.uid} has no samples; a spec with [debug] writes them")
    wanted = max(there) if iteration is None else iteration
    if wanted not in there:
        listed = ", ".join(map(str, sorted(there)))
        raise UserError(f"run {found.uid} has no samples after {wanted} iterations; after {listed}")
    dump = read_samples(there[wanted])
    left_out = len(dump["samples"]) - limit
    dump["samples"] = dump["samples"][:limit]
    if as_json:
        emit_json(dump)
        return
    emit("\n".join(_lines(found.uid, wanted, dump)))
    if left_out > 0:
        emit(f"\n{left_out} more rows: --limit {limit + left_out}")


def _lines(uid: str, done: int, dump: Mapping[str, Any]) -> Iterator[str]:
    yield f"run {uid}, trained on after {done - 1} iterations"
    if not dump.get("exact", True):
        yield "collected again by other programs: the last bits of a float may differ"
    game = None
    for row in dump["samples"]:
        this = row["collector"], row["lane"], row["game"]
        if this != game:
            began = f", continues after {row['ply']} moves" if row.get("ply") else ""
            yield f"\n{row['collector']}, lane {row['lane']}, game {row['game']}{began}"
            game = this
        yield ""
        yield from _row_lines(row)


def _row_lines(row: Mapping[str, Any]) -> Iterator[str]:
    who = "" if row["trained"] else ", an opponent; its moves are not trained on"
    yield f"  step {row['step']}: seat {row['seat']}{who}"
    board = row.get("board") or "\n".join(_general(row["observation"]))
    yield from (f"    {line}" for line in board.splitlines())
    yield f"    plays {row['action']}, of {len(row['legal_actions'])} legal actions"
    if row.get("probabilities") is not None:
        yield f"    policy  {_policy(row)}"
    numbers = {name: value for name, value in row.items() if name not in _SHOWN_APART}
    if numbers:
        yield f"    {', '.join(f'{name} {_short(value)}' for name, value in numbers.items())}"
    if row["done"]:
        yield f"    the game ends: rewards {_short(row['reward'])}"
    if row["trained"] and not row["valid"]:
        yield "    not trained on: the return is unknown"


def _policy(row: Mapping[str, Any]) -> str:
    """Return the most likely actions, and the one that was played."""
    pairs = list(zip(row["legal_actions"], row["probabilities"], strict=True))
    pairs.sort(key=lambda pair: -float(pair[1]))
    shown = pairs[:_SHOWN_ACTIONS]
    shown += [pair for pair in pairs[_SHOWN_ACTIONS:] if pair[0] == row["action"]]
    words = [
        f"{'*' if action == row['action'] else ''}{action}: {_short(probability)}"
        for action, probability in shown
    ]
    left = len(pairs) - len(shown)
    return "  ".join(words) + (f"  and {left} more" if left else "")


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    return f"{float(value):.4g}" if isinstance(value, float | str) else str(value)


def _general(observation: Any) -> Iterator[str]:
    """Yield an observation of any game: plane by plane, or as the numbers that are not zero.

    If it consists of several arrays, each is shown under its name.
    """
    if isinstance(observation, Mapping):
        for name, part in observation.items():
            yield f"{name}:"
            yield from (f"  {line}" for line in _general(part))
        return
    if _depth(observation) == 3:
        for channel in range(len(observation[0][0])):
            plane = [[cell[channel] for cell in line] for line in observation]
            values = {value for line in plane for value in line}
            if len(values) == 1:
                yield f"plane {channel}: {_short(values.pop())} everywhere"
                continue
            yield f"plane {channel}:"
            yield from (" ".join(_short(value) if value else "." for value in x) for x in plane)
        return
    flat = list(_flat(observation))
    there = [f"{place}: {_short(value)}" for place, value in enumerate(flat) if value]
    yield f"{len(there)} of {len(flat)} numbers are not 0: {', '.join(there)}"


def _depth(value: Any) -> int:
    return 1 + _depth(value[0]) if isinstance(value, list) and value else 0


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    else:
        yield value
