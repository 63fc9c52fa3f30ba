"""`jaxpot explain`: the meaning of a fault code, or the origin of a value in a spec."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from jaxpot.cli import options
from jaxpot.cli.output import emit, emit_json, json_text, table

if TYPE_CHECKING:
    from jaxpot.spec import Origin
    from jaxpot.spec.explain import Explanation


@click.command("explain")
@click.argument("subject", required=False, metavar="[CODE | SPEC]")
@click.argument("path", required=False, metavar="[PATH]")
@options.set_option
@options.json_option("The codes or values as JSON.")
def explain_command(
    subject: str | None, path: str | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Explain a fault CODE, or the value at PATH of a SPEC; list all codes if neither is given.

    \b
    Examples:
      jaxpot explain
      jaxpot explain unknown-key
      jaxpot explain specs/ttt.toml optimizer.learning_rate
      jaxpot explain specs/ttt.toml collect
      jaxpot explain specs/ttt.toml expect.0.max

    For a value, it shows what the value is and means, the file and line that set it, and what it
    overrode. For a table, or a SPEC without PATH, it lists every value.
    """
    from jaxpot.spec import CODES, describe_code

    if subject is None:
        if as_json:
            emit_json([_code(name) for name in CODES])
            return
        emit(table(["code", "what it means"], [[code.name, code.title] for code in CODES.values()]))
    elif path is None and (subject in CODES or not _looks_like_a_file(subject)):
        text = describe_code(subject)
        emit(json_text(_code(subject), indent=2) if as_json else text)
    else:
        _explain(subject, path or "", overrides, as_json=as_json)


def _looks_like_a_file(subject: str) -> bool:
    return subject.endswith(".toml") or os.sep in subject or os.path.exists(subject)


def _code(name: str) -> dict[str, str]:
    from jaxpot.spec import CODES

    code = CODES[name]
    parts = {part: getattr(code, part) for part in ("title", "rule", "wrong", "right")}
    return {"code": code.name, **parts}


def _explain(spec: str, path: str, overrides: tuple[str, ...], *, as_json: bool) -> None:
    from jaxpot.spec import load
    from jaxpot.spec.explain import explain
    from jaxpot.spec.faults import dotted

    found = explain(load(spec, overrides=overrides), path)
    if as_json:
        emit_json([_record(one, dotted(one.path)) for one in found])
    elif len(found) == 1 and dotted(found[0].path) == path:
        emit(_in_full(found[0], path))
    else:
        rows = []
        for one in found:
            overrode = ", ".join(f"{json_text(old.value)} ({old.origin})" for old in one.overrode)
            place = str(one.origin or "default")
            rows.append([dotted(one.path), json_text(one.value), place, overrode])
        emit(table(["path", "value", "from", "overrides"], rows))


def _in_full(one: Explanation, path: str) -> str:
    lines = [f"{path} = {json_text(one.value)}"]
    if one.doc:
        lines += [f"  {one.doc}", f"  allowed: {one.allowed}"]
    lines.append(f"  from {one.origin or 'default'}")
    lines += [f"  overrides {json_text(old.value)} from {old.origin}" for old in one.overrode]
    return "\n".join(lines)


def _record(one: Explanation, path: str) -> dict[str, Any]:
    overrode = [{"value": old.value, **_origin(old.origin)} for old in one.overrode]
    record = {"path": path, "value": one.value, **_origin(one.origin), "overrode": overrode}
    return {**record, "doc": one.doc, "allowed": one.allowed}


def _origin(origin: Origin | None) -> dict[str, Any]:
    if origin is None:
        return {"source": "default", "file": None, "line": None, "override": None}
    source = "file" if origin.override is None else "override"
    place = {"file": origin.file, "line": origin.line, "override": origin.override}
    return {"source": source, **place}
