"""How far a run's records are delivered to each sink: one small file per sink in the run's folder.

The delivering process writes the file. A lock keeps two processes from delivering to one sink.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from jaxpot.paths import write_file
from jaxpot.store.locking import FileLock

FOLDER = "sinks"
BUSY = 75
"""Exit status of a process that finds another one delivering to its sink."""

_VERSION = 1


@attrs.frozen(kw_only=True)
class Delivery:
    """The progress of one sink.

    Attributes:
        config: The sink's table in the spec; if it changes, everything is delivered again.
        offset: The byte of the journal from which on everything has to be delivered (again).
        attempt: The attempt that `offset` is in.
        iteration: The first iteration that is delivered from `offset` on.
        done: The number of iterations that the sink has.
        end: The byte up to which the journal is delivered.
        state: Delivering, up to date, or given up.
        error: The problem that stops it, if any.
    """

    config: Mapping[str, Any]
    offset: int = 0
    attempt: int = 0
    iteration: int = 0
    done: int = 0
    end: int = 0
    state: Literal["following", "delivered", "failed"] = "following"
    error: str | None = None

    def write(self, run_dir: Path, name: str) -> None:
        """Write the file of the sink `name`."""
        path = _path(run_dir, name)
        path.parent.mkdir(exist_ok=True)
        said = {"version": _VERSION, **attrs.asdict(self, recurse=False)}
        write_file(path, json.dumps(said).encode(), durable=True)


def read_delivery(run_dir: Path, name: str) -> Delivery | None:
    """Read the progress of the sink `name`; None if there is no readable file."""
    try:
        data = json.loads(_path(run_dir, name).read_bytes())
        if data.pop("version") != _VERSION:
            return None
        return Delivery(**data)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def delivery_lock(run_dir: Path, name: str) -> FileLock:
    """Return the lock of the process that delivers to the sink `name`."""
    path = _path(run_dir, name)
    path.parent.mkdir(exist_ok=True)
    return FileLock(path.with_suffix(".lock"))


def sink_folder(run_dir: Path, name: str) -> Path:
    """Return the sink's folder, without creating it."""
    return run_dir / FOLDER / name


def _path(run_dir: Path, name: str) -> Path:
    return run_dir / FOLDER / f"{name}.json"
