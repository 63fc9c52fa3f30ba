"""Golden files: digests and payloads of a few iterations, pinned in a file that is committed."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxpot.errors import UserError
from jaxpot.journal import encode
from jaxpot.paths import write_output
from jaxpot.spec import Loaded, spec_digest
from jaxpot.verify import trials
from jaxpot.verify.compare import compare
from jaxpot.verify.report import Compared, Report
from jaxpot.verify.rerun import MAX_ISA, Child, Settings
from jaxpot.verify.settings import differing_versions
from jaxpot.verify.subjects import FreshSpec
from jaxpot.verify.trace import row_of
from jaxpot.verify.trials import Tell

GOLDEN_VERSION = 1
ITERATIONS = 3
"""How many iterations are pinned where nobody says."""

_MACHINE = ("os", "arch", "device_kind", "isa", "nproc")
_CONTRACTS = ("contract", "rows")
_X86 = ("x86_64", "AMD64")


def check_golden(
    loaded: Loaded, file: Path, *, runs_dir: Path, iterations: int | None = None, tell: Tell
) -> Report:
    """Trains a spec as golden files pin it, and compares with this machine's entry.

    Args:
        loaded: The spec.
        file: The golden file.
        runs_dir: Where an evaluator finds the run that it plays against; not written to.
        iterations: Compare that many only.
        tell: Hears how far it is.

    Raises:
        UserError: The file is no golden file, or the spec cannot be trained.
    """
    entries = _read(file)
    digest = spec_digest(loaded.experiment)
    subject_words = f"spec {loaded.files[0]}, golden {file}"
    most = max((len(entry["rows"]) for entry in entries), default=1)
    subject = _subject(loaded, runs_dir, iterations or most)
    with trials.workplace() as work:
        tell(f"{loaded.experiment.name}: training as {file} pins it")
        asked = trials.request_for(subject, work / "golden")
        with Child(asked, settings=subject.settings) as child:
            records = child.records()
            attempt = child.attempt(records)
            key = _key(attempt)
            if outdated := list(_outdated(entries, key, digest)):
                return Report(
                    subject=subject_words,
                    comparable=False,
                    differs=tuple(outdated),
                    notes=("--golden FILE --update rewrites the entries",),
                )
            entry = next((entry for entry in entries if entry["key"] == key), None)
            if entry is None:
                return Report(
                    subject=subject_words,
                    missing=True,
                    differs=(
                        f"no entry for {_in_words(key)}: nothing was compared",
                        *(f"there is one for {_in_words(entry['key'])}" for entry in entries),
                    ),
                    notes=("--golden FILE --update adds an entry for this machine",),
                )
            pinned = [row_of(row, frozenset()) for row in entry["rows"]]
            if iterations is not None and iterations > len(pinned):
                raise UserError(f"{file}: pins {len(pinned)} iterations, not {iterations}")
            comparison = compare(pinned[:iterations], child.rows(records))
    different = comparison.first is not None
    return Report(
        subject=subject_words,
        compared=(Compared(a="golden", b="now", comparison=comparison),),
        differs=tuple(differing_versions(entry, attempt)) if different else (),
    )


def update_golden(
    loaded: Loaded, file: Path, *, runs_dir: Path, iterations: int | None = None, tell: Tell
) -> Report:
    """Trains a spec as golden files pin it, and writes this machine's entry.

    Entries of other machines stay while they are of this spec, its contracts and this jaxlib; those
    that are out of date go.

    Args:
        loaded: The spec.
        file: The golden file; made if it is not there.
        runs_dir: Where an evaluator finds the run that it plays against; not written to.
        iterations: How many to pin.
        tell: Hears how far it is.

    Raises:
        UserError: The file is no golden file or cannot be written, or the spec cannot be trained.
    """
    entries = _read(file) if file.exists() else []
    digest = spec_digest(loaded.experiment)
    count = min(iterations or ITERATIONS, loaded.experiment.iterations)
    subject = _subject(loaded, runs_dir, count)
    with trials.workplace() as work:
        tell(f"{loaded.experiment.name}: training {count} iterations for {file}")
        asked = trials.request_for(subject, work / "golden")
        with Child(asked, settings=subject.settings) as child:
            records = child.records()
            attempt = child.attempt(records)
            rows = list(child.rows(records))
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
    write_output(file, _encoded(content))
    return Report(
        subject=f"spec {loaded.files[0]}, golden {file}: {count} iterations for {_in_words(key)}",
        updated=True,
        notes=tuple(f"dropped, as it is out of date: {_in_words(entry['key'])}" for entry in old),
    )


def _subject(loaded: Loaded, runs_dir: Path, iterations: int) -> FreshSpec:
    # Instruction sets and thread counts change bits; every x86 machine of the last decade has both.
    flags = f"{MAX_ISA}=AVX2" if platform.machine() in _X86 else ""
    settings = Settings(nproc=2, xla_flags=flags, variables={})
    return FreshSpec(
        spec=loaded.resolved, settings=settings, iterations=iterations, runs_dir=runs_dir
    )


def _key(attempt: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what an entry is found by: the machine, and what decides bits beside it."""
    jaxlib = attempt["versions"].get("jaxlib")
    return {**{name: attempt[name] for name in (*_MACHINE, *_CONTRACTS)}, "jaxlib": jaxlib}


def _outdated(entries: list[dict[str, Any]], key: Mapping[str, Any], digest: str) -> Iterator[str]:
    """Says why entries cannot be compared with, for any reason but that the machine is another."""
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
        raise UserError(f"{file}: this is not JSON; --update needs the file gone") from error
    version = content.get("golden_version") if isinstance(content, dict) else None
    if version != GOLDEN_VERSION:
        raise UserError(
            f"{file}: golden_version is {version!r}, and this jaxpot reads {GOLDEN_VERSION}"
        )
    faults = list(_faults(content.get("entries")))
    if faults:
        raise UserError(f"{file}: {faults[0]}; remove the file and write it anew with --update")
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


def _encoded(content: Mapping[str, Any]) -> bytes:
    """Returns a golden file's text; NaN and infinities are strings in it, as in a journal."""
    return f"{json.dumps(json.loads(encode(content)), indent=1)}\n".encode()
