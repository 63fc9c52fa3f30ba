"""One run's part of a report: where it comes from, what it says of itself, what went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jaxpot.report.markup import Html, element, named, table
from jaxpot.report.run import MOST_ROWS, Facts, text_of
from jaxpot.sinks.cells import attempt_cells


def provenance(run: Facts) -> Iterator[Html]:
    """Give what ran where, and each attempt."""
    found = run["provenance"]
    versions = ", ".join(f"{name} {version}" for name, version in (found["versions"] or {}).items())
    dirty = ", with uncommitted changes" if found["git_dirty"] else ""
    device = [f"{found['device_count'] or '?'} x {found['device_kind'] or '?'}", found["platform"]]
    yield element("h3", "Provenance")
    yield named(
        [
            ("spec digest", run["spec_digest"]),
            ("training digest", run["training_digest"]),
            ("deterministic", _deterministic(run["spec"])),
            ("contract", found["contract"]),
            ("commit", f"{found['git_commit']}{dirty}" if found["git_commit"] else None),
            ("device", " on ".join(part for part in device if part)),
            ("instruction set", found["isa"]),
            ("threads", text_of(found["nproc"])),
            ("XLA flags", found["xla_flags"]),
            ("versions", versions),
            ("host", found["host"]),
            ("command", " ".join(map(str, found["argv"] or ()))),
            ("parent", found["parent"]),
        ]
    )
    if run["grade"]:
        headers = ["repeated in", "was"]
        yield table(headers, run["grade"].items(), caption="Determinism, by `jaxpot verify`")
    rows = [attempt_cells(row) for row in found["attempts"]]
    if rows:
        headers = ["attempt", "iterations", "status", "started", "reason"]
        yield table(headers, rows, caption="Attempts", right=(0,))


def warnings(run: Facts) -> Iterator[Html]:
    """Give what went wrong on the way."""
    if run["warnings"]:
        rows = [
            [
                event["kind"],
                text_of(event["iter"]),
                json.dumps(event["payload"], ensure_ascii=False),
            ]
            for event in run["warnings"][:MOST_ROWS]
        ]
        yield element("h3", "Warnings")
        yield table(["kind", "iteration", "what"], rows, caption="Events to be seen", right=(1,))


def spec(run: Facts) -> Iterator[Html]:
    """Give the spec with every default filled in."""
    text = run["spec_toml"]
    if text is None:
        text = json.dumps(run["spec"], indent=2, ensure_ascii=False)
    folded = element("summary", "The spec, every default filled in")
    yield element("h3", "Spec")
    yield element("details", folded, element("pre", text.rstrip(), tabindex="0"), open="")


def _deterministic(spec: Any) -> str | None:
    runtime = spec.get("runtime") if isinstance(spec, dict) else None
    value = runtime.get("deterministic") if isinstance(runtime, dict) else None
    return None if value is None else ("yes" if value is True else str(value))
