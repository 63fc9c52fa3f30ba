"""`jaxpot verify`: train again what was recorded, and say identical or where it first differs."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jaxpot.cli.completing import RUN_OR_SPEC
from jaxpot.cli.options import UserPath, iterations_option, json_option, runs_dir_option, set_option
from jaxpot.cli.output import emit, json_text, note
from jaxpot.cli.store import current_store
from jaxpot.errors import UserError
from jaxpot.paths import expanded

if TYPE_CHECKING:
    from jaxpot.verify.report import Report

_PROGRESS_SECONDS = 5.0


@click.command("verify")
@click.argument("what", metavar="RUN|SPEC", type=RUN_OR_SPEC)
@iterations_option("Train N iterations in all; of a run, what is recorded by default.")
@click.option(
    "--from",
    "checkpoint",
    metavar="CHECKPOINT",
    help="Of a run: start from that one of its checkpoints, named as for `resume`.",
)
@click.option(
    "--every",
    type=click.IntRange(1),
    metavar="K",
    help="Of a run: compare every K-th iteration only.",
)
@click.option(
    "--across-versions",
    is_flag=True,
    help="Of a run: compare even where the machine or versions differ, to the end.",
)
@click.option(
    "--grade",
    is_flag=True,
    help="Try every aspect of the determinism grade; each trains once more.",
)
@click.option(
    "--against",
    "python",
    metavar="PYTHON",
    help="Of a spec: compare with another environment's interpreter.",
)
@click.option(
    "--golden",
    type=UserPath(dir_okay=False),
    help="Of a spec: compare with a file of pinned digests and payloads.",
)
@click.option("--update", is_flag=True, help="Write this machine's entry of the golden file.")
@click.option(
    "--missing-ok",
    is_flag=True,
    help="Exit 0 where the golden file has no entry for this machine; it is still printed.",
)
@set_option
@json_option("One object: verdict, comparisons, what differs, grade.")
@runs_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    what: str,
    iterations: int | None,
    checkpoint: str | None,
    every: int | None,
    across_versions: bool,
    grade: bool,
    python: str | None,
    golden: Path | None,
    update: bool,
    missing_ok: bool,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Train RUN or SPEC again and compare every bit: payload but for times, and state digests.

    RUN is a run's id or the start of one, a name, a tag, or `latest`. It is trained under its
    recorded threads and flags, in a temporary directory, and held to what the store has; the
    result is added to the run's grade. SPEC is a .toml file. It is trained twice from fresh
    processes, and once more with a kill and a resume.

    \b
    Examples:
      jaxpot verify latest
      jaxpot verify ttt --from 300 --iterations 320
      jaxpot verify specs/ttt.toml --iterations 20
      jaxpot verify specs/ttt.toml --against ../base/.venv/bin/python --iterations 20
      jaxpot verify specs/ttt.toml --golden specs/golden/ttt.json

    Exit status: 0 identical, 3 different (the first iteration, key and both values are printed),
    2 it cannot be compared, or the input is wrong.
    """
    is_spec = what.endswith(".toml") or expanded(what).is_file()
    of_run = {"--from": checkpoint, "--every": every, "--across-versions": across_versions}
    of_spec = {"--against": python, "--golden": golden, "-s": overrides}
    given = [name for name, value in (of_run if is_spec else of_spec).items() if value]
    if given:
        kind = "a recorded run" if is_spec else "a spec (a .toml file)"
        raise UserError(f"{given[0]} is of {kind}; {what} is none")
    if python is not None and golden is not None:
        raise UserError("--against and --golden exclude each other")
    for name, value in {"--update": update, "--missing-ok": missing_ok}.items():
        if value and golden is None:
            raise UserError(f"{name} goes with --golden FILE")
    if grade and (python is not None or golden is not None):
        raise UserError("--grade is of a run or a spec by itself, without --against and --golden")
    tell = _Progress()
    if not is_spec:
        from jaxpot.verify.checks import verify_run

        report = verify_run(
            current_store(),
            what,
            iterations=iterations,
            checkpoint=checkpoint,
            every=every or 1,
            across_versions=across_versions,
            grade=grade,
            tell=tell,
        )
    else:
        report = _of_spec(
            expanded(what),
            ctx.obj["runs_dir"],
            iterations=iterations,
            grade=grade,
            python=None if python is None else str(expanded(python)),
            golden=golden,
            update=update,
            overrides=overrides,
            tell=tell,
        )
    for text in report.notes:
        note(f"note: {text}")
    emit(json_text(report.record(), indent=2) if as_json else report.text())
    ctx.exit(0 if missing_ok and report.outcome == "missing" else report.exit_code)


def _of_spec(
    path: Path,
    runs_dir: Path,
    *,
    iterations: int | None,
    grade: bool,
    python: str | None,
    golden: Path | None,
    update: bool,
    overrides: tuple[str, ...],
    tell: _Progress,
) -> Report:
    from jaxpot.spec import load

    loaded = load(path, overrides=overrides)
    if golden is not None:
        from jaxpot.verify.golden import check_golden, update_golden

        act = update_golden if update else check_golden
        return act(loaded, golden, runs_dir=runs_dir, iterations=iterations, tell=tell)
    from jaxpot.verify.checks import verify_against, verify_spec

    if python is not None:
        return verify_against(
            loaded, python, overrides=overrides, runs_dir=runs_dir, iterations=iterations, tell=tell
        )
    return verify_spec(loaded, runs_dir=runs_dir, iterations=iterations, grade=grade, tell=tell)


class _Progress:
    """Writes to stderr what is done, and how far it is every few seconds."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, text: str) -> None:
        now = time.monotonic()
        if not text.startswith("iteration "):
            self._last = now
        elif now - self._last < _PROGRESS_SECONDS:
            return
        self._last = now
        note(f"verify: {text}")
        sys.stderr.flush()
