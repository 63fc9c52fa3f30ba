"""`jaxpot show`: everything about one run."""

from __future__ import annotations

import json
from typing import Any

import click

from jaxpot import formatting as words
from jaxpot.cli.completing import RUN
from jaxpot.cli.options import json_option, runs_dir_option
from jaxpot.cli.output import emit, json_text, table
from jaxpot.cli.result import gates_table
from jaxpot.cli.store import current_store
from jaxpot.views.cells import attempt_cells, checkpoint_cells, moment, number

_SHARE_SHOWN = 0.0005


@click.command("show")
@click.argument("run", type=RUN)
@json_option("One object: what `ls --json` has, and the rest.")
@runs_dir_option
def command(run: str, as_json: bool) -> None:
    """Show everything about RUN: a uid, the start of one, a name, a tag, or `latest`.

    \b
    Examples:
      jaxpot show latest
      jaxpot show ttt --json | jq .metrics
    """
    store = current_store()
    if as_json:
        emit(json_text(store.show(run), indent=2))
        return
    found = store.describe(run)
    sections = (
        *(_result, _gates, _metrics, _league, _time, _checkpoints),
        *(_provenance, _told, _spec),
    )
    emit("\n\n".join(text for section in sections if (text := section(found))))


def _result(run: dict[str, Any]) -> str:
    target = "" if run["target"] is None else f" of {run['target']}"
    lines = [
        f"{run['name']} {run['uid']}: {run['status']}, {run['iterations']}{target} iterations",
        ("reason", run["exit_reason"]),
        ("seed", run["seed"]),
        ("started", moment(run["started"])),
        ("ended", moment(run["ended"])),
        ("attempts", run["attempts"]),
        ("digest", run["digest"]),
        ("tags", " ".join(run["tags"])),
        ("lag", f"{run['lag_bytes']} bytes not in the database yet" if run["lag_bytes"] else ""),
    ]
    return _named(lines)


def _gates(run: dict[str, Any]) -> str:
    return gates_table(run["expect"])


def _metrics(run: dict[str, Any]) -> str:
    rows = []
    for key, value in run["metrics"].items():
        best = run["best"].get(key)
        extremes = ["-"] * 4
        if best is not None:
            extremes = [
                *(number(best["min"]), str(best["min_iter"])),
                *(number(best["max"]), str(best["max_iter"])),
            ]
        rows.append([key, number(value), *extremes])
    headers = ["metric", "last", "min", "at", "max", "at"]
    return table(headers, rows, right=(1, 2, 3, 4, 5)) if rows else ""


def _league(run: dict[str, Any]) -> str:
    league = run["league"]
    if league is None:
        return ""
    sizes = (
        f"{league['league_size']} in the league, {league['league_archive_size']} in the archive, "
        f"{league['active_archive_size']} of these active"
    )
    changes = ", ".join(f"{name} {count}" for name, count in league["events"].items())
    lines = ["league", ("at iteration", league["iter"]), ("entries", sizes), ("changes", changes)]
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
    standings = f"\n\n{table(headers, rows, right=(2, 3))}" if rows else ""
    return f"{_named(lines)}{standings}"


def _time(run: dict[str, Any]) -> str:
    total = sum(run["time"].values())
    if not total > 0:
        return ""
    rows = [
        [name, words.span(seconds), f"{100 * seconds / total:.1f} %"]
        for name, seconds in run["time"].items()
        if seconds / total >= _SHARE_SHOWN
    ]
    rows.append(["all", words.span(total), ""])
    return table(["where the time went", "", ""], rows, right=(1, 2))


def _checkpoints(run: dict[str, Any]) -> str:
    rows = [checkpoint_cells(row) for row in run["checkpoints"] if row["state"] != "deleted"]
    headers = ["checkpoint", "kind", "state", "size", "took", "score", "path"]
    return table(headers, rows, right=(0, 3, 4, 5)) if rows else ""


def _provenance(run: dict[str, Any]) -> str:
    found = run["provenance"]
    versions = " ".join(f"{name} {version}" for name, version in (found["versions"] or {}).items())
    dirty = ", with changes" if found["git_dirty"] else ""
    device = [f"{found['device_count'] or '?'} x {found['device_kind'] or '?'}", found["platform"]]
    lines = [
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
    ]
    attempts = [attempt_cells(row) for row in found["attempts"]]
    if len(attempts) < 2:
        return _named(lines)
    headers = ["attempt", "iterations", "status", "started", "reason"]
    return f"{_named(lines)}\n\n{table(headers, attempts, right=(0,))}"


def _told(run: dict[str, Any]) -> str:
    lines = [("note", row["note"]) for row in run["notes"]]
    lines += [
        (event["kind"], json.dumps(event["payload"], ensure_ascii=False))
        for event in run["warnings"]
    ]
    return _named(["notes and warnings", *lines]) if lines else ""


def _spec(run: dict[str, Any]) -> str:
    text = run["spec_toml"]
    if text is None:
        text = json.dumps(run["spec"], indent=2, ensure_ascii=False)
    return f"spec\n{text.rstrip()}"


def _named(lines: list[Any]) -> str:
    """Lay out a title and names with their values; those without a value are left out."""
    title, *pairs = lines
    shown = [(name, str(value)) for name, value in pairs if value not in (None, "")]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join([title, *(f"{name.ljust(width)}  {value}" for name, value in shown)])
