"""`jaxpot show`: everything about one run."""

from __future__ import annotations

import json
from typing import Any

import click

from jaxpot.cli import options
from jaxpot.cli.completion import RUN
from jaxpot.cli.output import emit, emit_json, table
from jaxpot.cli.result import gates_table, time_table
from jaxpot.views.tables import attempt_cells, checkpoint_cells, moment, number


@click.command("show")
@click.argument("run", type=RUN)
@options.json_option("One object: the fields of `ls --json`, and all the rest.")
@options.runs_dir_option
def show_command(run: str, as_json: bool) -> None:
    """Show everything about RUN: a uid, the start of one, a name, a tag, or `latest`.

    \b
    Examples:
      jaxpot show latest
      jaxpot show ttt --json | jq .metrics
    """
    store = options.current_store()
    if as_json:
        emit_json(store.show(run))
        return
    found = store.describe(run)
    sections = (
        _result(found),
        gates_table(found["expect"]),
        _metrics(found),
        _league(found["league"]),
        time_table(found["time"]),
        _checkpoints(found),
        _provenance(found),
        _messages(found),
        _spec(found),
    )
    emit("\n\n".join(section for section in sections if section))


def _result(run: dict[str, Any]) -> str:
    target = "" if run["target"] is None else f" of {run['target']}"
    lag = run["lag_bytes"]
    return _named(
        f"{run['name']} {run['uid']}: {run['status']}, {run['iterations']}{target} iterations",
        ("reason", run["exit_reason"]),
        ("seed", run["seed"]),
        ("started", moment(run["started"])),
        ("ended", moment(run["ended"])),
        ("attempts", run["attempts"]),
        ("digest", run["digest"]),
        ("tags", " ".join(run["tags"])),
        ("lag", f"{lag} bytes not in the database yet" if lag else ""),
    )


def _metrics(run: dict[str, Any]) -> str:
    rows = []
    for key, value in run["metrics"].items():
        best = run["best"].get(key)
        extremes = ["-"] * 4
        if best is not None:
            least = number(best["min"]), str(best["min_iter"])
            extremes = [*least, number(best["max"]), str(best["max_iter"])]
        rows.append([key, number(value), *extremes])
    headers = ["metric", "last", "min", "at", "max", "at"]
    return table(headers, rows, right=(1, 2, 3, 4, 5)) if rows else ""


def _league(league: dict[str, Any] | None) -> str:
    if league is None:
        return ""
    sizes = (
        f"{league['league_size']} in the league, {league['league_archive_size']} in the archive, "
        f"{league['active_archive_size']} of these active"
    )
    changes = ", ".join(f"{name} {count}" for name, count in league["events"].items())
    lines = _named(
        "league", ("at iteration", league["iter"]), ("entries", sizes), ("changes", changes)
    )
    rows = [
        [
            row["name"],
            row["place"] or "",
            "-" if row["score"] is None else number(row["score"]),
            "-" if row["rollouts"] is None else str(row["rollouts"]),
            "yes" if row["active"] else "no",
        ]
        for row in league["standings"]
    ]
    headers = ["entry", "place", "score", "rollouts", "active"]
    return f"{lines}\n\n{table(headers, rows, right=(2, 3))}" if rows else lines


def _checkpoints(run: dict[str, Any]) -> str:
    rows = [checkpoint_cells(row) for row in run["checkpoints"] if row["state"] != "deleted"]
    headers = ["checkpoint", "kind", "state", "size", "took", "score", "path"]
    return table(headers, rows, right=(0, 3, 4, 5)) if rows else ""


def _provenance(run: dict[str, Any]) -> str:
    found = run["provenance"]
    versions = " ".join(f"{name} {version}" for name, version in (found["versions"] or {}).items())
    dirty = ", with changes" if found["git_dirty"] else ""
    device = [f"{found['device_count'] or '?'} x {found['device_kind'] or '?'}", found["platform"]]
    lines = _named(
        "provenance",
        ("spec digest", run["spec_digest"]),
        ("training digest", run["training_digest"]),
        ("contract", found["contract"]),
        ("commit", f"{found['git_commit']}{dirty}" if found["git_commit"] else ""),
        ("device", " on ".join(part for part in device if part)),
        ("isa", found["isa"]),
        ("nproc", found["nproc"]),
        ("xla flags", found["xla_flags"]),
        ("versions", versions),
        ("host", f"{found['host']}, process {found['pid']}" if found["host"] else ""),
        ("command", " ".join(map(str, found["argv"] or ()))),
        ("parent", found["parent"]),
    )
    attempts = [attempt_cells(row) for row in found["attempts"]]
    headers = ["attempt", "iterations", "status", "started", "reason"]
    return f"{lines}\n\n{table(headers, attempts, right=(0,))}" if len(attempts) > 1 else lines


def _messages(run: dict[str, Any]) -> str:
    lines: list[tuple[str, Any]] = [("note", row["note"]) for row in run["notes"]]
    for event in run["warnings"]:
        lines.append((event["kind"], json.dumps(event["payload"], ensure_ascii=False)))
    return _named("notes and warnings", *lines) if lines else ""


def _spec(run: dict[str, Any]) -> str:
    text = run["spec_toml"]
    if text is None:
        text = json.dumps(run["spec"], indent=2, ensure_ascii=False)
    return f"spec\n{text.rstrip()}"


def _named(title: str, *pairs: tuple[str, Any]) -> str:
    """Lay out a title, then names with their values, without the empty ones."""
    shown = [(name, str(value)) for name, value in pairs if value not in (None, "")]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join([title, *(f"{name.ljust(width)}  {value}" for name, value in shown)])
