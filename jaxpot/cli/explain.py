"""`jaxpot explain`: what a fault's code means, or where a spec's value came from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from jaxpot.cli.options import json_option, set_option
from jaxpot.cli.output import emit, json_text, table

if TYPE_CHECKING:
    from jaxpot.spec.explain import Explanation


@click.command("explain")
@click.argument("subject", required=False, metavar="[CODE | SPEC]")
@click.argument("path", required=False, metavar="[PATH]")
@set_option
@json_option("The codes or values as JSON.")
def command(
    subject: str | None, path: str | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Explain a fault's CODE, or the value at PATH of a SPEC; without either, list the codes.

    \b
    Examples:
      jaxpot explain
      jaxpot explain unknown-key
      jaxpot explain specs/ttt.toml optimizer.learning_rate
      jaxpot explain specs/ttt.toml collect
      jaxpot explain specs/ttt.toml expect.0.max

    Of a value: what it is and means, the file and line it came from, and what it overrode. Of a
    table, or of a SPEC alone: every value in it.
    """
    if subject is None:
        _list_codes(as_json=as_json)
    elif path is None and not _names_a_file(subject):
        _describe(subject, as_json=as_json)
    else:
        _explain(subject, path or "", overrides, as_json=as_json)


def _names_a_file(subject: str) -> bool:
    from jaxpot.spec import CODES

    if subject in CODES:
        return False
    return subject.endswith(".toml") or os.sep in subject or os.path.exists(subject)


def _list_codes(*, as_json: bool) -> None:
    from jaxpot.spec import CODES

    if as_json:
        emit(json_text([_code(name) for name in CODES], indent=2))
    else:
        emit(table(["code", "what it means"], [[code.name, code.title] for code in CODES.values()]))


def _describe(name: str, *, as_json: bool) -> None:
    from jaxpot.spec import describe_code

    text = describe_code(name)
    emit(json_text(_code(name), indent=2) if as_json else text)


def _code(name: str) -> dict[str, str]:
    from jaxpot.spec import CODES

    code = CODES[name]
    return {
        "code": code.name,
        "title": code.title,
        "rule": code.rule,
        "wrong": code.wrong,
        "right": code.right,
    }


def _explain(spec: str, path: str, overrides: tuple[str, ...], *, as_json: bool) -> None:
    from jaxpot.spec import load
    from jaxpot.spec.explain import explain
    from jaxpot.spec.faults import dotted

    found = explain(load(spec, overrides=overrides), path)
    if as_json:
        emit(json_text([_record(explanation) for explanation in found], indent=2))
    elif len(found) == 1 and dotted(found[0].path) == path:
        emit(_in_full(found[0]))
    else:
        rows = [[dotted(one.path), _shown(one.value), _place(one), _overrode(one)] for one in found]
        emit(table(["path", "value", "from", "overrides"], rows))


def _in_full(one: Explanation) -> str:
    from jaxpot.spec.faults import dotted

    lines = [f"{dotted(one.path)} = {_shown(one.value)}"]
    if one.doc:
        lines += [f"  {one.doc}", f"  allowed: {one.allowed}"]
    lines.append(f"  from {_place(one)}")
    lines += [f"  overrides {_shown(w.value)} from {w.origin}" for w in one.overrode]
    return "\n".join(lines)


def _overrode(one: Explanation) -> str:
    return ", ".join(f"{_shown(w.value)} ({w.origin})" for w in one.overrode)


def _place(one: Explanation) -> str:
    return str(one.origin or "default")


def _shown(value: Any) -> str:
    return json_text(_plain(value))


def _plain(value: Any) -> Any:
    """Replaces dates and times, which a file may hold where they are wrong, by their text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | bool | int | float) else str(value)


def _record(one: Explanation) -> dict[str, Any]:
    from jaxpot.spec.faults import dotted

    return {
        "path": dotted(one.path),
        "value": _plain(one.value),
        **_origin(one.origin),
        "overrode": [{"value": _plain(w.value), **_origin(w.origin)} for w in one.overrode],
        "doc": one.doc,
        "allowed": one.allowed,
    }


def _origin(origin: Any) -> dict[str, Any]:
    if origin is None:
        return {"source": "default", "file": None, "line": None, "override": None}
    return {
        "source": "file" if origin.override is None else "override",
        "file": origin.file,
        "line": origin.line,
        "override": origin.override,
    }
