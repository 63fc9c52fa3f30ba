"""Start and stop the process that ingests while a run is going on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

INTERVAL_SECONDS = 10.0


class IngestChild:
    """A handle on the ingesting process; keep it for as long as the run writes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def stop(self, timeout: float = 30.0) -> str | None:
        """Let it ingest the rest and end; return a message if that is incomplete, else None.

        After `timeout` seconds it is killed. Nothing is lost: the next reader ingests the rest.
        """
        import subprocess

        try:
            said, _ = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return f"the ingest took longer than {timeout:g} s; the next command that reads goes on"
        return said.strip() or None

    def __enter__(self) -> IngestChild:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start_child(runs_dir: Path, *, interval: float = INTERVAL_SECONDS) -> IngestChild:
    """Start the process that ingests into the database of `runs_dir`."""
    import subprocess  # with what it imports, a tenth of a reading command's time

    # -P: a file in the user's directory must not stand in for a module of the same name.
    command = [sys.executable, "-P", "-m", "jaxpot.store.child"]
    command += ["--runs-dir", str(runs_dir), "--interval", str(interval)]
    return IngestChild(
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C in the terminal is for the run
            text=True,
        )
    )
