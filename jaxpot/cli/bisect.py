"""`jaxpot bisect`: find where two runs start to differ, and what may be the reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jaxpot.cli import options
from jaxpot.cli.completion import RUN
from jaxpot.cli.output import emit, emit_json, json_text, note, table

if TYPE_CHECKING:
    from jaxpot.verify.bisect import Again, Bisection, Rerun
    from jaxpot.verify.divergence import LeafDifference, Located

EXIT_DIFFERENT = 3
_SHOWN = 12


def _python_option(side: str) -> Any:
    return click.option(
        f"--python-{side}",
        type=options.UserPath(exists=True, dir_okay=False),
        metavar="PYTHON",
        help=f"The interpreter that trains {side.upper()} again. Default: this one.",
    )


@click.command("bisect")
@click.argument("run_a", type=RUN)
@click.argument("run_b", type=RUN)
@_python_option("a")
@_python_option("b")
@click.option("--no-rerun", is_flag=True, help="Only read the records; train nothing.")
@options.json_option("All findings as one object.")
@options.runs_dir_option
@click.pass_context
def bisect_command(
    ctx: click.Context,
    run_a: str,
    run_b: str,
    python_a: Path | None,
    python_b: Path | None,
    no_rerun: bool,
    as_json: bool,
) -> None:
    """Find where RUN_A and RUN_B start to differ: the first iteration, phase and leaf.

    Each is a run's uid or the start of one, a name or tag (its newest run), or `latest`.

    \b
    Examples:
      jaxpot bisect 20261122-101530 20261122-111530
      jaxpot bisect base latest --python-a ../base/.venv/bin/python
      jaxpot bisect base latest --no-rerun --json

    The recorded digests show the first iteration whose states differ and, where phases were timed,
    the first phase and the leaves. Differences between the runs, such as versions, are listed with
    the most suspicious first. Then both runs are trained again up to that iteration, in temporary
    folders and with their recorded threads and flags, to find the elements that differ. The output
    says whether this repeated the records. With other versions or code it may not; --python-a and
    --python-b name an environment that has the recorded ones.

    Exit status: 0 no difference, 3 a difference was found, 2 the runs cannot be compared.
    """
    from jaxpot.verify.bisect import bisect_runs

    found = bisect_runs(
        options.current_runs_dir(),
        run_a,
        run_b,
        rerun=not no_rerun,
        python_a=python_a,
        python_b=python_b,
        tell=note,
    )
    if as_json:
        emit_json(_json(found))
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
        yield "  digest: {} | {}".format(*(parted.digests or ("", "")))
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


def _recorded(located: Located | None, iteration: int) -> Iterator[str]:
    if located is None:
        yield "the two have no recorded digests of phases or leaves from there on"
        return
    later = located.iteration - iteration
    when = "there" if not later else f"at iteration {located.iteration}, {later} later,"
    yield f"recorded {when} differ"
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
        yield "so the elements of the leaves are unknown"
        return
    if rerun.iteration is None:
        yield (
            "the two re-runs are equal, so spec and settings are not the reason: look at the "
            "versions, the code and the machine that made the records"
        )
        return
    if rerun.iteration != iteration:
        yield f"the re-runs differ already at iteration {rerun.iteration}"
    elif rerun.located is not None and rerun.located.phase is not None:
        after = ", ".join(rerun.located.phases[1:]) or "none"
        yield f"the first phase that differs is {rerun.located.phase}; after it: {after}"
    else:
        yield "no timed phase differs: the cause is between iterations, or before the first"
    if rerun.leaves is None:
        yield f"the states' leaves cannot be read: {rerun.unread}"
        return
    yield f"leaves of the states after iteration {iteration}:"
    columns = ["leaf", "array", "differing", "largest difference"]
    yield table(columns, [_leaf_cells(leaf) for leaf in rerun.leaves[:_SHOWN]], right=(2, 3))
    yield from _more(len(rerun.leaves), "leaves")


def _leaf_cells(leaf: LeafDifference) -> list[str]:
    array = leaf.a or "" if leaf.a == leaf.b else f"{leaf.a or 'absent'} | {leaf.b or 'absent'}"
    count = f"{leaf.differing} of {leaf.elements}" if leaf.elements else ""
    return [leaf.path, array, count, "" if leaf.largest is None else f"{leaf.largest:g}"]


def _again(again: Again, side: str) -> str:
    if again.fault is not None:
        return f"cannot be trained again here: {again.fault}"
    if again.mismatch is None:
        return "the recorded bits"
    return (
        f"differs from the record from iteration {again.mismatch} on, so this is not the "
        f"environment that made it; name that one with --python-{side.lower()}"
    )


def _suspects(found: Bisection) -> Iterator[str]:
    yield ""
    if not found.suspects:
        yield "the runs do not differ in spec, versions, flags or host"
        return
    yield "what differs between the runs, most suspicious first:"
    rows = [[each.reason, each.what, _text(each.a), _text(each.b)] for each in found.suspects]
    yield table(["", "what", "A", "B"], rows)


def _more(count: int, what: str) -> Iterator[str]:
    if count > _SHOWN:
        yield f"  ... and {count - _SHOWN} more {what}; --json has all"


def _number(value: Any) -> str:
    """Return a value as text, a float with its bits."""
    if not isinstance(value, float):
        return _text(value)
    from jaxpot.verify.compare import hexadecimal

    return f"{value!r} ({hexadecimal(value)})"


def _text(value: Any) -> str:
    return "(absent)" if value is None else json_text(value)


def _json(found: Bisection) -> dict[str, Any]:
    import attrs

    parted = found.divergence
    return {
        "a": {"run": found.a.uid, "name": found.a.name},
        "b": {"run": found.b.uid, "name": found.b.name},
        "different": parted.found,
        "shared_iterations": parted.shared,
        "iteration": parted.iteration,
        "digests": parted.digests,
        "payload": {"iteration": parted.payload, "keys": [each._asdict() for each in parted.keys]},
        "recorded": None if found.recorded is None else attrs.asdict(found.recorded),
        "suspects": [attrs.asdict(each) for each in found.suspects],
        "rerun": None if found.rerun is None else _rerun_json(found.rerun),
    }


def _rerun_json(rerun: Rerun) -> dict[str, Any]:
    import attrs

    located, leaves = rerun.located, rerun.leaves
    return {
        "a": attrs.asdict(rerun.a) | {"repeats": rerun.a.repeats},
        "b": attrs.asdict(rerun.b) | {"repeats": rerun.b.repeats},
        "iteration": rerun.iteration,
        "phase": located.phase if located else None,
        "phases": list(located.phases) if located else [],
        "leaves": None if leaves is None else [attrs.asdict(leaf) for leaf in leaves],
        "unread": rerun.unread,
    }
