"""How far a run's records have come in each of its sinks: one small file a sink, in its folder.

The process that delivers writes it, whoever wants to know reads it, and a lock keeps two processes
from delivering to one sink.
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
"""Exit status of a process that found another one delivering."""

_VERSION = 1


@attrs.frozen(kw_only=True)
class Delivery:
    """What one sink has.

    Attributes:
        config: The sink's table; with another one everything is delivered anew.
        offset: Of the journal, from which on everything has to be delivered (again).
        attempt: Number of the attempt that `offset` is in.
        iteration: The first iteration that is delivered from `offset` on.
        done: Iterations that the sink has in all.
        end: Up to where the journal was delivered.
        state: Whether it is on its way, up to date, or was given up.
        error: What keeps it from going on; None for nothing.
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
        """Replaces what the file of the sink `name` says."""
        path = _path(run_dir, name)
        path.parent.mkdir(exist_ok=True)
        said = {"version": _VERSION, **attrs.asdict(self, recurse=False)}
        write_file(path, json.dumps(said).encode(), durable=True)


def read_delivery(run_dir: Path, name: str) -> Delivery | None:
    """Returns what the sink `name` has; None where nothing, or nothing readable, is known."""
    try:
        data = json.loads(_path(run_dir, name).read_bytes())
        if data.pop("version") != _VERSION:
            return None
        return Delivery(**data)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def delivery_lock(run_dir: Path, name: str) -> FileLock:
    """Returns the lock that whoever delivers to the sink `name` holds."""
    path = _path(run_dir, name)
    path.parent.mkdir(exist_ok=True)
    return FileLock(path.with_suffix(".lock"))


def sink_folder(run_dir: Path, name: str) -> Path:
    """Returns the folder that is the sink's own; it is not made."""
    return run_dir / FOLDER / name


def _path(run_dir: Path, name: str) -> Path:
    return run_dir / FOLDER / f"{name}.json"
