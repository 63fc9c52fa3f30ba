"""`jaxpot verify`: train again, and report the first difference."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from jaxpot.cli import options
from jaxpot.cli.completion import RUN_OR_SPEC
from jaxpot.cli.output import emit, emit_json, note
from jaxpot.errors import UserError
from jaxpot.paths import expanded

_PROGRESS_SECONDS = 5.0


@click.command("verify")
@click.argument("what", metavar="RUN|SPEC", type=RUN_OR_SPEC)
@options.iterations_option("Train N iterations in all. Default for a run: as many as it recorded.")
@click.option(
    "--from",
    "checkpoint",
    metavar="CHECKPOINT",
    help="For a run: start from this checkpoint, named as in `jaxpot resume`.",
)
@click.option(
    "--every",
    type=click.IntRange(1),
    metavar="K",
    help="For a run: compare only every K-th iteration.",
)
@click.option(
    "--across-versions",
    is_flag=True,
    help="For a run: compare all iterations even if the machine or versions differ.",
)
@click.option(
    "--grade", is_flag=True, help="Test each aspect of the determinism grade by another training."
)
@click.option(
    "--against",
    "python",
    metavar="PYTHON",
    help="For a spec: compare with the interpreter of another environment.",
)
@click.option(
    "--golden",
    type=options.FILE,
    help="For a spec: compare with a file of pinned digests and payloads.",
)
@click.option("--update", is_flag=True, help="Write this machine's entry to the golden file.")
@click.option(
    "--missing-ok",
    is_flag=True,
    help="Exit with 0 if the golden file has no entry for this machine; say so all the same.",
)
@options.set_option
@options.json_option("One object: verdict, subject, comparisons, differs, notes, grade.")
@options.runs_dir_option
@click.pass_context
def verify_command(
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
    """Train RUN or SPEC again and compare all bits of the payload (except times) and the state.

    RUN is a run's uid or the start of one, a name, a tag, or `latest`. It is trained again in a
    temporary directory, with its recorded threads and flags, and compared with its records; the
    result is added to the run's grade. SPEC is a .toml file. It is trained twice in fresh
    processes, and once more with a kill and a resume.

    \b
    Examples:
      jaxpot verify latest
      jaxpot verify ttt --from 300 --iterations 320
      jaxpot verify specs/ttt.toml --iterations 20
      jaxpot verify specs/ttt.toml --against ../base/.venv/bin/python --iterations 20
      jaxpot verify specs/ttt.toml --golden specs/golden/ttt.json

    Exit status: 0 identical, 3 different (prints the first iteration, the key and both values), 2
    it cannot be compared, or the input is wrong.
    """
    is_spec = what.endswith(".toml") or expanded(what).is_file()
    of_run = {"--from": checkpoint, "--every": every, "--across-versions": across_versions}
    of_spec = {"--against": python, "--golden": golden, "-s": overrides}
    given = [name for name, value in (of_run if is_spec else of_spec).items() if value]
    if given:
        kind = "a recorded run" if is_spec else "a spec (a .toml file)"
        raise UserError(f"{given[0]} needs {kind}; {what} is not one")
    options.exclude({"--against": python, "--golden": golden})
    options.exclude({"--grade": grade, "--against": python})
    options.exclude({"--grade": grade, "--golden": golden})
    for name, value in {"--update": update, "--missing-ok": missing_ok}.items():
        if value and golden is None:
            raise UserError(f"{name} goes with --golden FILE")
    common: dict[str, Any] = {"iterations": iterations, "tell": _Progress()}
    if not is_spec:
        from jaxpot.verify.checks import verify_run

        report = verify_run(
            options.current_store(),
            what,
            checkpoint=checkpoint,
            every=every or 1,
            across_versions=across_versions,
            grade=grade,
            **common,
        )
    else:
        from jaxpot.spec import load

        loaded = load(expanded(what), overrides=overrides)
        common["runs_dir"] = options.current_runs_dir()
        if golden is not None:
            from jaxpot.verify.golden import check_golden, update_golden

            report = (update_golden if update else check_golden)(loaded, golden, **common)
        elif python is not None:
            from jaxpot.verify.checks import verify_against

            interpreter = str(expanded(python))
            report = verify_against(loaded, interpreter, overrides=overrides, **common)
        else:
            from jaxpot.verify.checks import verify_spec

            report = verify_spec(loaded, grade=grade, **common)
    for text in report.notes:
        note(f"note: {text}")
    if as_json:
        emit_json(report.record())
    else:
        emit(report.text())
    ctx.exit(0 if missing_ok and report.outcome == "missing" else report.exit_code)


class _Progress:
    """Prints steps to stderr, and the iteration every few seconds."""

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
