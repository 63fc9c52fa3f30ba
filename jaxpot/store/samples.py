"""Dumps of samples in a run's folder, in JSON with one sample per line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxpot.errors import UserError
from jaxpot.journal import encode
from jaxpot.paths import write_file

FOLDER = "samples"

_NAME = re.compile(r"([0-9]{6,})\.json")


def write_samples(
    run_dir: Path, head: Mapping[str, Any], samples: Sequence[Mapping[str, Any]], *, keep: int
) -> Path:
    """Write the dump of `head["iteration"]` as a whole, and delete all but the newest `keep` dumps.

    Raises:
        OSError: It cannot be written; then nothing is left of it.
    """
    folder = run_dir / FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{head['iteration'] + 1:06d}.json"
    lines = b",\n".join(encode(sample).rstrip(b"\n") for sample in samples)
    opened = encode({**head, "samples": []}).rstrip(b"\n").removesuffix(b"]}")
    write_file(path, opened + b"\n" + lines + b"\n]}\n", durable=True)
    for old in sorted(dumps(run_dir))[:-keep]:
        dumps(run_dir)[old].unlink(missing_ok=True)
    return path


def dumps(run_dir: Path) -> dict[int, Path]:
    """Return a run's dumps by the number of iterations done at each."""
    if not (run_dir / FOLDER).is_dir():
        return {}
    named = ((_NAME.fullmatch(path.name), path) for path in (run_dir / FOLDER).iterdir())
    return {int(found[1]): path for found, path in named if found}


def read_samples(path: Path) -> dict[str, Any]:
    """Read a dump.

    Raises:
        UserError: It cannot be read, or is not a dump.
    """
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("samples"), list):
        raise UserError(f"{path}: this is no dump of samples")
    return data
