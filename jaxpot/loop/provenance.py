"""Record the origin of a run: spec, rows contract, commit, versions, host, device."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_VERSION, RunRecord
from jaxpot.loop.environment import effective_nproc, instruction_set, recorded_settings
from jaxpot.spec import SPEC_VERSION, Experiment, resolved, spec_digest, to_toml, training_digest

PACKAGES = (
    *("attrs", "cattrs", "duckdb", "flax", "jax", "jaxlib", "mctx", "jaxpot", "numpy", "optax"),
    *("orbax-checkpoint", "pgx"),
)

_GIT_TIMEOUT_S = 10.0


def provenance(directory: Path | None = None) -> dict[str, Any]:
    """Return where a run comes from, as far as it is known without jax.

    Args:
        directory: Directory whose git checkout is recorded; by default the working directory.
    """
    git = git_state(directory or Path())
    return {
        **{f"git_{name}": value for name, value in git._asdict().items()},
        "versions": versions(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "os": platform.system(),
        "arch": platform.machine(),
        "python": platform.python_version(),
        "isa": instruction_set(),
        "nproc": effective_nproc(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "argv": list(sys.argv),
    }


class GitState(NamedTuple):
    commit: str | None
    """The commit that is checked out; None if it is not known."""
    dirty: bool | None
    """Whether tracked files differ from it; None if that is not known."""
    problem: str | None
    """Why a repository's commit or its changes are not known; None outside of a repository."""


def git_state(directory: Path) -> GitState:
    """Read the commit that a directory is checked out at, and whether tracked files differ."""
    root = _repository(directory)
    try:
        commit = _git(directory, "rev-parse", "--verify", "--quiet", "HEAD")
    except _GitError as error:
        if root is None:
            return GitState(None, None, None)
        reason = str(error) or "the repository has no commit yet"
        if "dubious ownership" in reason:
            reason += f"; `git config --global --add safe.directory {root}` lets git read it"
        return GitState(None, None, f"no commit is recorded: {reason}")
    try:
        status = _git(directory, "status", "--porcelain", "--untracked-files=no")
    except _GitError as error:
        return GitState(commit, None, f"whether files differ from the commit is unknown: {error}")
    return GitState(commit, bool(status), None)


def versions() -> dict[str, str]:
    """Return the installed version of each package that can change a run's numbers."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


class _GitError(Exception):
    """git gave no answer; the text says why, "" where git itself says nothing."""


def _git(directory: Path, *arguments: str) -> str:
    # Optional locks would let a status here collide with the user's own git command.
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments],  # noqa: S607
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_TIMEOUT_S,
            env=environ,
        )
    except OSError as error:
        raise _GitError(f"git cannot be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise _GitError(f"git did not answer within {_GIT_TIMEOUT_S:g} s") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise _GitError(f"git: {said[0]}" if said else "")
    return done.stdout.strip()


def _repository(directory: Path) -> Path | None:
    if "GIT_DIR" in os.environ:
        return Path(os.environ["GIT_DIR"])
    try:
        here = directory.resolve()
    except OSError:  # the working directory was deleted
        return None
    for folder in (here, *here.parents):
        bare = all((folder / name).exists() for name in ("HEAD", "objects", "refs"))
        if bare or os.path.lexists(folder / ".git"):
            return folder
    return None


def header(experiment: Experiment) -> dict[str, Any]:
    """Return the first record of a new run's journal, without its uid."""
    from jaxpot.loop.streams import CONTRACT

    return {
        "journal_version": JOURNAL_VERSION,
        "name": experiment.name,
        **_spec(experiment),
        "spec_version": SPEC_VERSION,
        "seed": experiment.seed,
        "iterations": experiment.iterations,
        "tags": list(experiment.tags),
        "contract": CONTRACT,
        "rows": ROWS,
        "parent": None,
    }


def changed_spec(record: RunRecord, experiment: Experiment) -> dict[str, Any]:
    """Return the spec as an attempt records it; nothing where the run has that spec already."""
    return {} if record.spec == resolved(experiment) else _spec(experiment)


def _spec(experiment: Experiment) -> dict[str, Any]:
    spec = resolved(experiment)
    return {
        "spec": spec,
        "spec_toml": to_toml(spec),
        "spec_digest": spec_digest(experiment),
        "training_digest": training_digest(experiment),
    }


def surroundings() -> dict[str, Any]:
    """Return where an attempt runs: commit, versions, host, device, instruction set, threads."""
    import jax

    from jaxpot.loop.streams import CONTRACT

    device = jax.devices()[0]
    return provenance() | {
        "platform": device.platform,
        "device_kind": device.device_kind,
        "device_count": 1,
        "environ": recorded_settings(os.environ, jax.config.values),
        "contract": CONTRACT,
        "rows": ROWS,
    }


def environment_changes(record: RunRecord | None, here: Mapping[str, Any]) -> list[str]:
    """Return a warning for each difference from where the run's last attempt ran.

    What the journal does not record is not compared.
    """
    if record is None or record.attempt == 0:
        return []
    before = record.provenance
    places = ("os", "arch", "platform", "device_kind", "isa", "nproc", "xla_flags")
    then = {name: before[name] for name in places if before.get(name) is not None}
    settings = here["environ"] if before.get("environ") is None else before["environ"]
    versions = before.get("versions") or here["versions"]
    texts = [
        *(
            f"{name} was {old} and is {here[name]}"
            for name, old in then.items()
            if old != here[name]
        ),
        *_differences(settings, here["environ"], "unset"),
    ]
    texts = [f"{text}: the bits may differ from here on" for text in texts]
    texts += [
        f"{text}: the bits may differ" for text in _differences(versions, here["versions"], None)
    ]
    return texts


def _differences(
    before: Mapping[str, Any], now: Mapping[str, Any], missing: str | None
) -> Iterator[str]:
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            yield f"{name} was {before.get(name, missing)} and is {now.get(name, missing)}"


ROWS = "v2"
"""Version of the rows contract. Under v1, the default, every iteration began new games."""


def rows_of(attempt: Mapping[str, Any]) -> str:
    """Return the version of the rows contract that an attempt trained under."""
    return attempt.get("rows") or "v1"


def require_rows(record: RunRecord) -> None:
    """Refuse a run whose rows this version of jaxpot would continue differently.

    Raises:
        UserError: The run was trained under another rows contract.
    """
    rows = rows_of(record.provenance)
    if record.attempt and rows != ROWS:
        raise UserError(
            f"{record.path}: this run was trained under rows contract {rows}, and this jaxpot has "
            f"{ROWS}: it cannot go on to the same bits. Resume it with the jaxpot that trained it, "
            "or start a new run from its network: jaxpot run SPEC --init-from RUN"
        )
