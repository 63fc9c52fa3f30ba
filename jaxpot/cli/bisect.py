"""`jaxpot bisect`: where two runs part, and what may have made them part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jaxpot.cli.completing import RUN
from jaxpot.cli.options import UserPath, json_option, runs_dir_option
from jaxpot.cli.output import emit, json_text, note, table

if TYPE_CHECKING:
    from jaxpot.verify.bisect import Again, Bisection, Rerun
    from jaxpot.verify.divergence import LeafDifference, Located

EXIT_DIFFERENT = 3
_SHOWN = 12


def _python_option(side: str) -> Any:
    return click.option(
        f"--python-{side}",
        type=UserPath(exists=True, dir_okay=False),
        metavar="PYTHON",
        help=f"Interpreter of the environment to run {side.upper()} again in; this one by default.",
    )


@click.command("bisect")
@click.argument("run_a", type=RUN)
@click.argument("run_b", type=RUN)
@_python_option("a")
@_python_option("b")
@click.option("--no-rerun", is_flag=True, help="Only read what is recorded; train nothing.")
@json_option("All that was found, as one object.")
@runs_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    run_a: str,
    run_b: str,
    python_a: Path | None,
    python_b: Path | None,
    no_rerun: bool,
    as_json: bool,
) -> None:
    """Find where RUN_A and RUN_B part: the first iteration, phase and leaf that differ.

    RUN_A and RUN_B are a run's id or the start of one, a name or tag (its newest run), or `latest`.

    \b
    Examples:
      jaxpot bisect 20261122-101530 20261122-111530
      jaxpot bisect base latest --python-a ../base/.venv/bin/python
      jaxpot bisect base latest --no-rerun --json

    The recorded digests say in which iteration the states first differ, and, where phases were
    timed, in which phase and leaves. What differs between the runs comes with it, most suspicious
    first. Both are then run again up to there, in temporary folders, each under its recorded
    threads and flags, which gives the leaves' differing elements. Whether that repeats the records
    is said: with other versions or other code it may not, and --python-a or --python-b names the
    environment that has them.

    Exit status: 0 no difference, 3 a difference was found, 2 the two cannot be compared.
    """
    from jaxpot.verify.bisect import bisect_runs

    found = bisect_runs(
        ctx.obj["runs_dir"],
        run_a,
        run_b,
        rerun=not no_rerun,
        python_a=python_a,
        python_b=python_b,
        tell=note,
    )
    if as_json:
        emit(json_text(_json(found), indent=2))
    else:
        for line in _lines(found):
            emit(line)
    if found.divergence.found:
        ctx.exit(EXIT_DIFFERENT)


def _lines(found: Bisection) -> Iterator[str]:
    parted = found.divergence
    yield f"A  {found.a.uid}  {found.a.name}"
    yield f"B  {found.b.uid}  {found.b.name}"
    yield ""
    if parted.iteration is None:
        yield f"the states are equal in all {parted.shared} iterations that both have"
    else:
        yield f"the states differ first after iteration {parted.iteration}"
        yield from _digests(*(parted.digests or (None, None)))
    if parted.payload is not None:
        yield f"the payloads differ first at iteration {parted.payload}"
        for each in parted.keys[:_SHOWN]:
            yield f"  {each.key}: {_number(each.a)} | {_number(each.b)}"
        yield from _more(len(parted.keys), "keys")
    if parted.iteration is not None:
        yield from _recorded(found.recorded, parted.iteration)
        yield from _rerun(found.rerun, parted.iteration)
    if parted.found:
        yield from _suspects(found)


def _digests(a: str | None, b: str | None) -> Iterator[str]:
    yield f"  digest: {a} | {b}"


def _recorded(located: Located | None, iteration: int) -> Iterator[str]:
    if located is None:
        yield "no digests of phases or leaves are recorded from there on in both"
        return
    later = located.iteration - iteration
    when = "there" if not later else f"at iteration {located.iteration}, {later} later,"
    yield f"recorded {when} differ"
    yield from _located(located)


def _located(located: Located) -> Iterator[str]:
    if located.phase is not None:
        yield f"  phase: {located.phase}, and after it {', '.join(located.phases[1:]) or 'none'}"
    shown = ", ".join(located.leaves[:_SHOWN]) or "none"
    yield f"  leaves ({len(located.leaves)}): {shown}"
    yield from _more(len(located.leaves), "leaves")


def _rerun(rerun: Rerun | None, iteration: int) -> Iterator[str]:
    if rerun is None:
        return
    yield ""
    for side, again in (("A", rerun.a), ("B", rerun.b)):
        yield f"{side} again: {_again(again, side)}"
    if rerun.a.fault is not None or rerun.b.fault is not None:
        yield "so there is nothing to say of the leaves' elements"
        return
    if rerun.iteration is None:
        yield (
            "the two re-runs are equal: neither spec nor settings part them, so look at the "
            "versions, the code and the machine that made the records"
        )
        return
    if rerun.iteration != iteration:
        yield f"the re-runs part at iteration {rerun.iteration} already"
    elif rerun.located is not None and rerun.located.phase is not None:
        after = ", ".join(rerun.located.phases[1:]) or "none"
        yield f"the first phase that differs is {rerun.located.phase}; after it: {after}"
    else:
        yield "no phase that is timed differs: they part between iterations, or before the first"
    if rerun.leaves is None:
        yield f"the states' leaves cannot be read: {rerun.unread}"
        return
    yield f"leaves of the states after iteration {iteration}:"
    rows = [
        [each.path, *_shape(each.a, each.b), _count(each.differing, each.elements), _size(each)]
        for each in rerun.leaves[:_SHOWN]
    ]
    columns = ["leaf", "array", "differing", "largest difference"]
    yield table(columns, rows, right=(2, 3))
    yield from _more(len(rerun.leaves), "leaves")


def _again(again: Again, side: str) -> str:
    if again.fault is not None:
        return f"it cannot be run again here: {again.fault}"
    if again.mismatch is None:
        return "the recorded bits"
    return (
        f"other bits than recorded from iteration {again.mismatch} on, so what made the record is "
        f"not at hand; --python-{side.lower()} may name it"
    )


def _suspects(found: Bisection) -> Iterator[str]:
    yield ""
    if not found.suspects:
        yield "nothing that is recorded of the two differs: neither spec, versions, flags nor host"
        return
    yield "what differs between the runs, most suspicious first:"
    rows = [[each.reason, each.what, _text(each.a), _text(each.b)] for each in found.suspects]
    yield table(["", "what", "A", "B"], rows)


def _more(count: int, what: str) -> Iterator[str]:
    if count > _SHOWN:
        yield f"  ... and {count - _SHOWN} more {what}; --json has all"


def _shape(a: str | None, b: str | None) -> list[str]:
    return [a or ""] if a == b else [f"{a or 'absent'} | {b or 'absent'}"]


def _count(differing: int, elements: int) -> str:
    return f"{differing} of {elements}" if elements else ""


def _size(leaf: LeafDifference) -> str:
    return "" if leaf.largest is None else f"{leaf.largest:g}"


def _number(value: Any) -> str:
    """Writes a value, a fraction with its bits."""
    if not isinstance(value, float):
        return _text(value)
    from jaxpot.verify.compare import hexadecimal

    return f"{value!r} ({hexadecimal(value)})"


def _text(value: Any) -> str:
    return "(absent)" if value is None else json_text(value)


def _json(found: Bisection) -> dict[str, Any]:
    import attrs

    parted, rerun = found.divergence, found.rerun
    return {
        "a": {"run": found.a.uid, "name": found.a.name},
        "b": {"run": found.b.uid, "name": found.b.name},
        "different": parted.found,
        "shared_iterations": parted.shared,
        "iteration": parted.iteration,
        "digests": parted.digests,
        "payload": {
            "iteration": parted.payload,
            "keys": [each._asdict() for each in parted.keys],
        },
        "recorded": None if found.recorded is None else attrs.asdict(found.recorded),
        "suspects": [attrs.asdict(each) for each in found.suspects],
        "rerun": None
        if rerun is None
        else {
            "a": attrs.asdict(rerun.a) | {"repeats": rerun.a.repeats},
            "b": attrs.asdict(rerun.b) | {"repeats": rerun.b.repeats},
            "iteration": rerun.iteration,
            "phase": rerun.located.phase if rerun.located else None,
            "phases": list(rerun.located.phases) if rerun.located else [],
            "leaves": None
            if rerun.leaves is None
            else [attrs.asdict(each) for each in rerun.leaves],
            "unread": rerun.unread,
        },
    }
