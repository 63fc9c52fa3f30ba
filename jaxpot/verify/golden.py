"""Golden files: the digests and payloads of a few iterations, pinned in a committed file.

A file has an entry for each machine that it was updated on: instruction sets change bits. In both
functions, `runs_dir` holds the runs that the spec's evaluators may play against, and is only read;
`tell` is called with lines of progress.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxpot.errors import UserError
from jaxpot.journal import Payload, encode
from jaxpot.paths import write_output
from jaxpot.spec import Loaded, spec_digest
from jaxpot.verify import trials
from jaxpot.verify.compare import compare, row_of
from jaxpot.verify.origins import differing_versions
from jaxpot.verify.report import Compared, Report
from jaxpot.verify.rerun import MAX_ISA, Settings, Tell
from jaxpot.verify.trials import FreshSpec

GOLDEN_VERSION = 1
ITERATIONS = 3
"""How many iterations are pinned by default."""

_MACHINE = ("os", "arch", "device_kind", "isa", "nproc")
_CONTRACTS = ("contract", "rows")
_X86 = ("x86_64", "AMD64")


def check_golden(
    loaded: Loaded, file: Path, *, runs_dir: Path, iterations: int | None = None, tell: Tell
) -> Report:
    """Train a spec under the golden files' settings, and compare with this machine's entry.

    Raises:
        UserError: The file is not a golden file, or the spec cannot be trained.
    """
    entries = _read(file)
    name = f"spec {loaded.files[0]}, golden {file}"
    most = max((len(entry["rows"]) for entry in entries), default=1)
    subject = _subject(loaded, runs_dir, iterations or most)
    with trials.workplace() as work:
        tell(f"{loaded.experiment.name}: training with the settings of {file}")
        with trials.start(subject, Path(work) / "golden") as child:
            attempt = child.attempt()
            key = _key(attempt)
            if outdated := tuple(_outdated(entries, key, spec_digest(loaded.experiment))):
                return Report(
                    subject=name,
                    outcome="not_comparable",
                    differs=outdated,
                    notes=("--golden FILE --update rewrites the entries",),
                )
            entry = next((entry for entry in entries if entry["key"] == key), None)
            if entry is None:
                return Report(
                    subject=name,
                    outcome="missing",
                    differs=(
                        f"no entry for {_in_words(key)}: nothing was compared",
                        *(f"there is one for {_in_words(entry['key'])}" for entry in entries),
                    ),
                    notes=("--golden FILE --update adds an entry for this machine",),
                )
            pinned = [row_of(Payload(attempt=1, **row), frozenset()) for row in entry["rows"]]
            if iterations is not None and iterations > len(pinned):
                raise UserError(f"{file}: pins {len(pinned)} iterations, not {iterations}")
            comparison = compare(pinned[:iterations], child.rows())
    return Report(
        subject=name,
        compared=(Compared(a="golden", b="now", comparison=comparison),),
        differs=tuple(differing_versions(entry, attempt)) if comparison.first else (),
    )


def update_golden(
    loaded: Loaded, file: Path, *, runs_dir: Path, iterations: int | None = None, tell: Tell
) -> Report:
    """Train a spec under the golden files' settings, and write this machine's entry.

    Entries of other machines stay if they are of the same spec, contracts and jaxlib; those that
    are out of date are dropped.

    Raises:
        UserError: The file is not a golden file or cannot be written, or the spec cannot be
            trained.
    """
    entries = _read(file) if file.exists() else []
    digest = spec_digest(loaded.experiment)
    count = min(iterations or ITERATIONS, loaded.experiment.iterations)
    subject = _subject(loaded, runs_dir, count)
    with trials.workplace() as work:
        tell(f"{loaded.experiment.name}: training {count} iterations for {file}")
        with trials.start(subject, Path(work) / "golden") as child:
            attempt = child.attempt()
            rows = list(child.rows())
    if len(rows) < count:
        raise UserError(f"{loaded.files[0]}: the run failed after {len(rows)} iterations")
    key = _key(attempt)
    made = {
        "key": key,
        "spec_digest": digest,
        "versions": attempt["versions"],
        "rows": [{"iter": r.iteration, "digest": r.digest, "values": r.values} for r in rows],
    }
    others = [e for e in entries if e["key"] != key]
    old = [e for e in others if any(_outdated([e], key, digest))]
    kept = [e for e in others if e not in old]
    content = {
        "golden_version": GOLDEN_VERSION,
        "spec": loaded.experiment.name,
        "entries": sorted([*kept, made], key=lambda entry: json.dumps(entry["key"])),
    }
    # The journal's encoder writes NaN and infinities as strings.
    write_output(file, f"{json.dumps(json.loads(encode(content)), indent=1)}\n".encode())
    return Report(
        subject=f"spec {loaded.files[0]}, golden {file}: {count} iterations for {_in_words(key)}",
        outcome="updated",
        notes=tuple(f"dropped, because it is out of date: {_in_words(e['key'])}" for e in old),
    )


def _subject(loaded: Loaded, runs_dir: Path, iterations: int) -> FreshSpec:
    # Instruction sets and thread counts change bits; every x86 machine of the last decade has AVX2.
    flags = f"{MAX_ISA}=AVX2" if platform.machine() in _X86 else ""
    settings = Settings(nproc=2, xla_flags=flags, variables={})
    return FreshSpec(
        spec=loaded.resolved, settings=settings, iterations=iterations, runs_dir=runs_dir
    )


def _key(attempt: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry's key: the machine, the contracts, and jaxlib, which all decide bits."""
    jaxlib = attempt["versions"].get("jaxlib")
    return {**{name: attempt[name] for name in (*_MACHINE, *_CONTRACTS)}, "jaxlib": jaxlib}


def _outdated(entries: list[dict[str, Any]], key: Mapping[str, Any], digest: str) -> Iterator[str]:
    """Say why entries cannot be compared with, for any reason other than another machine."""
    if not entries:
        yield "the file has no entries"
    for entry in entries:
        theirs = entry["key"]
        machine = ", ".join(str(theirs.get(name)) for name in _MACHINE)
        if entry["spec_digest"] != digest:
            yield f"the spec has changed since the entry for {machine} was written"
        for name in (*_CONTRACTS, "jaxlib"):
            if theirs.get(name) != key[name]:
                yield f"the entry for {machine} has {name} {theirs.get(name)}; now {key[name]}"


def _in_words(key: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in key.items())


def _read(file: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file}: is not there; --update makes it") from None
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: this is not JSON; remove it and use --update") from error
    version = content.get("golden_version") if isinstance(content, dict) else None
    if version != GOLDEN_VERSION:
        raise UserError(
            f"{file}: golden_version is {version!r}, and this jaxpot reads {GOLDEN_VERSION}"
        )
    if fault := next(_faults(content.get("entries")), None):
        raise UserError(f"{file}: {fault}; remove the file and write a new one with --update")
    return content["entries"]


def _faults(entries: Any) -> Iterator[str]:
    if not isinstance(entries, list):
        yield "entries is not a list"
        return
    for number, entry in enumerate(entries):
        place = f"entries[{number}]"
        if not isinstance(entry, dict):
            yield f"{place} is not a table"
        elif not (isinstance(entry.get("key"), dict) and isinstance(entry.get("spec_digest"), str)):
            yield f"{place} lacks key or spec_digest"
        elif not isinstance(entry.get("versions"), dict):
            yield f"{place} lacks versions"
        elif not (isinstance(entry.get("rows"), list) and entry["rows"]):
            yield f"{place} has no rows"
        elif not all(map(_is_row, entry["rows"])):
            yield f"{place} has a row that is not iter, digest and values"


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and isinstance(row.get("iter"), int)
        and isinstance(row.get("digest"), str)
        and isinstance(row.get("values"), dict)
        and all(isinstance(value, int | float | str) for value in row["values"].values())
    )
