"""`jaxpot check`: whether specs are right, and all that is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jaxpot.cli.options import UserPath, json_option, runs_dir_option, set_option
from jaxpot.cli.output import emit, json_text, note

if TYPE_CHECKING:
    from jaxpot.spec import Fault, Loaded

EXIT_USER = 2


@click.command("check")
@click.argument("specs", nargs=-1, required=True, type=UserPath(), metavar="SPEC...")
@set_option
@click.option("--import", "imports", is_flag=True, help="Import the classes that the specs name.")
@click.option("--shapes", is_flag=True, help="Trace the whole program too (imports jax).")
@json_option("An array with one object for each spec.")
@runs_dir_option
@click.pass_context
def command(
    ctx: click.Context,
    specs: Sequence[Path],
    overrides: tuple[str, ...],
    imports: bool,
    shapes: bool,
    as_json: bool,
) -> None:
    """Check each SPEC: keys, types, ranges, and the rules that join them.

    \b
    Examples:
      jaxpot check specs/*.toml
      jaxpot check specs/ttt.toml -s optimizer.learning_rate=3e-4
      jaxpot check specs/ttt.toml --shapes

    Every fault is told, with its file, line and code; `jaxpot explain CODE` says more. A spec's
    own classes (`kind = "package.module:Name"`) are listed, and imported only with --import. With
    --shapes the runs that evaluators play against are looked up in --runs-dir and must fit.
    """
    runs_dir = ctx.obj["runs_dir"] if shapes else None
    reports = [_check(spec, overrides, imports=imports, runs_dir=runs_dir) for spec in specs]
    if as_json:
        emit(json_text(reports, indent=2))
    for report in reports:
        if not report["ok"]:
            note("\n".join(fault["text"] for fault in report["faults"]))
        elif not as_json:
            emit(_line(report, imported=imports))
    if not all(report["ok"] for report in reports):
        ctx.exit(EXIT_USER)


def _check(
    spec: Path, overrides: tuple[str, ...], *, imports: bool, runs_dir: Path | None
) -> dict[str, Any]:
    """Reports on a spec; with the folder of all runs its programs are traced too."""
    from jaxpot.errors import UserError
    from jaxpot.spec import Fault, Origin, SpecError, load, missing_extras

    report: dict[str, Any] = {"file": str(spec), "ok": False}
    try:
        loaded = load(spec, overrides=overrides, import_user_code=imports)
        with loaded.placing():
            if missing := missing_extras(loaded.experiment):
                raise SpecError(missing)
        if runs_dir is not None:
            with loaded.placing():
                _check_shapes(loaded, runs_dir, imports=imports)
    except SpecError as error:
        return {**report, "faults": [_fault(fault) for fault in error.faults]}
    except UserError as error:
        place = Origin(str(spec))
        fault = _fault(Fault("", (), str(error), origin=place))
        return {**report, "faults": [{**fault, "code": None, "text": f"{place}: {error}"}]}
    return {**report, "ok": True, "faults": [], **_facts(loaded)}


def _facts(loaded: Loaded) -> dict[str, Any]:
    from jaxpot.spec import spec_digest, training_digest

    return {
        "name": loaded.experiment.name,
        "spec_digest": spec_digest(loaded.experiment),
        "training_digest": training_digest(loaded.experiment),
        "imports": list(loaded.import_paths),
        "files": list(loaded.files),
    }


def _check_shapes(loaded: Loaded, runs_dir: Path, *, imports: bool) -> None:
    from jaxpot.errors import UserError

    if loaded.import_paths and not imports:
        raise UserError(f"--shapes needs --import, for {', '.join(loaded.import_paths)}")
    import attrs

    from jaxpot.loop.environment import prepare

    # Tracing uses no threads, and specs that ask for other numbers of them are checked together.
    prepare(attrs.evolve(loaded.experiment.runtime, nproc=None))
    from jaxpot.loop.shapes import check_shapes

    check_shapes(loaded.experiment, runs_dir)


def _line(report: dict[str, Any], *, imported: bool) -> str:
    names = report["imports"]
    if not names:
        imports = "imports nothing"
    elif imported:
        imports = f"imported {', '.join(names)}"
    else:
        imports = f"names {', '.join(names)} (not imported)"
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
