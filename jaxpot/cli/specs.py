"""`jaxpot check`, `jaxpot diff` and `jaxpot schema`: read specs without jax."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jaxpot.cli import options
from jaxpot.cli.output import emit, emit_json, json_text, note
from jaxpot.errors import UserError

if TYPE_CHECKING:
    from jaxpot.spec import Fault, Loaded

EXIT_USER = 2


@click.command("check")
@click.argument("specs", nargs=-1, required=True, type=options.PATH, metavar="SPEC...")
@options.set_option
@click.option("--import", "imports", is_flag=True, help="Import the classes that the specs name.")
@click.option("--shapes", is_flag=True, help="Also trace the whole program (imports jax).")
@options.json_option("An array with one object per spec.")
@options.runs_dir_option
@click.pass_context
def check_command(
    ctx: click.Context,
    specs: Sequence[Path],
    overrides: tuple[str, ...],
    imports: bool,
    shapes: bool,
    as_json: bool,
) -> None:
    """Check each SPEC: keys, types, ranges, and rules across keys.

    \b
    Examples:
      jaxpot check specs/*.toml
      jaxpot check specs/ttt.toml -s optimizer.learning_rate=3e-4
      jaxpot check specs/ttt.toml --shapes

    All faults are reported, each with its file, line and code; `jaxpot explain CODE` explains a
    code. Your own classes (`kind = "package.module:Name"`) are listed, and imported only with
    --import. --shapes also checks that opponents from other runs fit; it looks for these runs in
    --runs-dir.
    """
    runs_dir = options.current_runs_dir() if shapes else None
    reports = [_check(spec, overrides, imports=imports, runs_dir=runs_dir) for spec in specs]
    if as_json:
        emit_json(reports)
    for report in reports:
        if not report["ok"]:
            note("\n".join(fault["text"] for fault in report["faults"]))
        elif not as_json:
            emit(_summary(report, imported=imports))
    if not all(report["ok"] for report in reports):
        ctx.exit(EXIT_USER)


@click.command("diff")
@click.argument("a", type=options.PATH)
@click.argument("b", type=options.PATH)
@options.json_option("One object: the two files and every difference.")
def diff_command(a: Path, b: Path, as_json: bool) -> None:
    """Compare the values of specs A and B, with `extends` and defaults applied.

    \b
    Examples:
      jaxpot diff specs/ttt.toml specs/smoke.toml
      jaxpot diff specs/ttt.toml specs/smoke.toml --json

    Two ways to write the same values do not differ. The exit status is 0 either way.
    """
    from jaxpot.spec import diff, load, training_digest

    one, other = load(a), load(b)
    found = diff(one.resolved, other.resolved)
    same_training = training_digest(one.experiment) == training_digest(other.experiment)
    if as_json:
        differences = [{"path": path, "a": old, "b": new} for path, old, new in found]
        files = {"a": str(a), "b": str(b)}
        emit_json({**files, "same_training": same_training, "differences": differences})
        return
    for path, *values in found:
        old, new = ("(absent)" if value is None else json_text(value) for value in values)
        emit(f"{path}: {old} -> {new}")
    training = "train alike but for the seed" if same_training else "train differently"
    note(f"{len(found)} differences; the two {training}" if found else "no difference")


@click.command("schema")
@click.option("-o", "--output", type=options.FILE, help="Write to this file. Default: stdout.")
def schema_command(output: Path | None) -> None:
    """Write the JSON Schema (Draft 4) of specs.

    \b
    Examples:
      jaxpot schema -o specs/experiment.schema.json

    A TOML editor that finds `#:schema experiment.schema.json` at the top of a spec completes keys,
    shows what they mean, and marks most faults as you type.
    """
    from jaxpot.paths import write_output
    from jaxpot.spec import json_schema

    text = json.dumps(json_schema(), indent=2, ensure_ascii=False)
    if output is None:
        emit(text)
    else:
        write_output(output, f"{text}\n".encode())


def _check(
    spec: Path, overrides: tuple[str, ...], *, imports: bool, runs_dir: Path | None
) -> dict[str, Any]:
    """Report on a spec. If a runs directory is given, trace the spec's programs too."""
    from jaxpot.spec import (
        Fault,
        Origin,
        SpecError,
        load,
        missing_extras,
        spec_digest,
        training_digest,
    )

    report: dict[str, Any] = {"file": str(spec), "ok": False}
    try:
        loaded = load(spec, overrides=overrides, import_user_code=imports)
        with loaded.placing():
            if missing := missing_extras(loaded.experiment):
                raise SpecError(missing)
            if runs_dir is not None:
                _check_shapes(loaded, runs_dir, imports=imports)
    except SpecError as error:
        return {**report, "faults": [_fault(fault) for fault in error.faults]}
    except UserError as error:
        place = Origin(str(spec))
        fault = _fault(Fault("", (), str(error), origin=place))
        return {**report, "faults": [{**fault, "code": None, "text": f"{place}: {error}"}]}
    return {
        **report,
        "ok": True,
        "faults": [],
        "name": loaded.experiment.name,
        "spec_digest": spec_digest(loaded.experiment),
        "training_digest": training_digest(loaded.experiment),
        "imports": list(loaded.import_paths),
        "files": list(loaded.files),
    }


def _check_shapes(loaded: Loaded, runs_dir: Path, *, imports: bool) -> None:
    if loaded.import_paths and not imports:
        raise UserError(f"--shapes needs --import, for {', '.join(loaded.import_paths)}")
    import attrs

    from jaxpot.loop.environment import prepare

    # Tracing uses no threads, so specs with different thread counts can share this process.
    prepare(attrs.evolve(loaded.experiment.runtime, nproc=None))
    from jaxpot.loop.shapes import check_shapes

    check_shapes(loaded.experiment, runs_dir)


def _summary(report: dict[str, Any], *, imported: bool) -> str:
    names = ", ".join(report["imports"])
    imports = "imports nothing"
    if names:
        imports = f"imported {names}" if imported else f"names {names} (not imported)"
    return f"{report['file']}: ok: {report['name']}, digest {report['spec_digest'][:16]}, {imports}"


def _fault(fault: Fault) -> dict[str, Any]:
    from jaxpot.spec.faults import dotted

    origin = fault.origin
    return {
        "code": fault.code,
        "path": dotted(fault.path),
        "message": fault.message,
        "allowed": fault.allowed,
        "suggestion": fault.suggestion,
        "file": origin and origin.file,
        "line": origin and origin.line,
        "override": origin and origin.override,
        "text": str(fault),
    }
