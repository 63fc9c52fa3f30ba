"""`jaxpot samples`: what a run trained on, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from jaxpot.cli.completing import RUN
from jaxpot.cli.options import json_option, runs_dir_option
from jaxpot.cli.output import emit, json_text

_LIMIT = 20
_SHOWN_ACTIONS = 9
_BESIDE = frozenset(
    {"collector", "lane", "game", "step", "ply", "seat", "observation", "board"}
    | {"legal_actions", "action", "reward", "done", "trained", "valid", "probabilities"}
)


@click.command("samples")
@click.argument("run", type=RUN)
@click.option(
    "--iteration",
    type=click.IntRange(1),
    metavar="N",
    help="The dump after N iterations, as its file is called; the newest without it.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=_LIMIT,
    show_default=True,
    metavar="N",
    help="Most rows to show.",
)
@json_option("The dump as one JSON object, with at most --limit rows.")
@runs_dir_option
@click.pass_context
def command(ctx: click.Context, run: str, iteration: int | None, limit: int, as_json: bool) -> None:
    """Show what RUN trained on: boards, moves, probabilities, advantages, returns.

    \b
    Examples:
      jaxpot run specs/ttt.toml -s 'debug={every=100}'
      jaxpot samples latest
      jaxpot samples ttt --iteration 200 --limit 5
      jaxpot samples ttt --json | jq .samples[0]

    A spec's table [debug] has them written, to `samples/` in the run's folder. Rows are in the
    order of their games, those of opponents included.
    """
    from jaxpot.errors import UserError
    from jaxpot.store.runs import find
    from jaxpot.store.samples import dumps, read_samples

    found = find(ctx.obj["runs_dir"], run)
    there = dumps(found.path)
    if not there:
        raise UserError(
            f"run {found.uid} has no samples; they are written where a spec has [debug]"
        )
    wanted = max(there) if iteration is None else iteration
    if wanted not in there:
        listed = ", ".join(map(str, sorted(there)))
        raise UserError(f"run {found.uid} has no samples after {wanted} iterations; after {listed}")
    dump = read_samples(there[wanted])
    left_out = len(dump["samples"]) - limit
    dump["samples"] = dump["samples"][:limit]
    if as_json:
        emit(json_text(dump, indent=2))
        return
    emit("\n".join(_lines(found.uid, wanted, dump)))
    if left_out > 0:
        emit(f"\n{left_out} more rows: --limit {limit + left_out}")


def _lines(uid: str, done: int, dump: Mapping[str, Any]) -> Iterator[str]:
    yield f"run {uid}, trained on after {done - 1} iterations"
    if not dump.get("exact", True):
        yield "collected once more by other programs: the last bits of a float may differ"
    game = None
    for row in dump["samples"]:
        this = row["collector"], row["lane"], row["game"]
        if this != game:
            began = f", goes on after {row['ply']} moves" if row.get("ply") else ""
            yield f"\n{row['collector']}, lane {row['lane']}, game {row['game']}{began}"
            game = this
        yield ""
        yield from _row_lines(row)


def _row_lines(row: Mapping[str, Any]) -> Iterator[str]:
    who = "" if row["trained"] else ", an opponent, whose moves are not trained on"
    yield f"  step {row['step']}: seat {row['seat']}{who}"
    board = row.get("board") or "\n".join(_general(row["observation"]))
    yield from (f"    {line}" for line in board.splitlines())
    yield f"    plays {row['action']}, of {len(row['legal_actions'])} legal actions"
    if row.get("probabilities") is not None:
        yield f"    policy  {_policy(row)}"
    numbers = {name: value for name, value in row.items() if name not in _BESIDE}
    if numbers:
        yield f"    {', '.join(f'{name} {_short(value)}' for name, value in numbers.items())}"
    if row["done"]:
        yield f"    the game ends: rewards {_short(row['reward'])}"
    if row["trained"] and not row["valid"]:
        yield "    not trained on: what follows is not known"


def _policy(row: Mapping[str, Any]) -> str:
    """Returns the likeliest actions, and the one that was played."""
    pairs = sorted(zip(row["legal_actions"], row["probabilities"], strict=True), key=_likeliest)
    shown = [pair for place, pair in enumerate(pairs) if place < _SHOWN_ACTIONS]
    shown += [pair for pair in pairs[_SHOWN_ACTIONS:] if pair[0] == row["action"]]
    words = [
        f"{'*' if action == row['action'] else ''}{action}: {_short(probability)}"
        for action, probability in shown
    ]
    left = len(pairs) - len(shown)
    return "  ".join(words) + (f"  and {left} more" if left else "")


def _likeliest(pair: tuple[int, Any]) -> float:
    return -float(pair[1])


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    return f"{float(value):.4g}" if isinstance(value, float | str) else str(value)


def _general(observation: Any) -> Iterator[str]:
    """Yields an observation of any game: planes side by side, or the places that are not zero.

    One of several arrays is shown array by array, under their names.
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
