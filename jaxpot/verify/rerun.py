"""Train again in a child process, under settings that a process can only start with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import attrs

from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME, Attempt, Keys, Payload, Record, as_dict, parse
from jaxpot.loop.environment import with_settings
from jaxpot.verify import child as child_module
from jaxpot.verify.compare import Row, row_of, times_in

MAX_ISA = "--xla_cpu_max_isa"

Tell = Callable[[str], None]
"""Called with a line of progress."""

_POLL_SECONDS = 0.05
_HEAD_BYTES = 64
_SHOWN_LINES = 8


class RerunError(UserError):
    """The child process ended without an answer; the user's input is not at fault."""

    exit_code = 1


def silent(text: str) -> None:
    """Report no progress."""
    del text


@attrs.frozen(kw_only=True)
class Settings:
    """The environment that a child starts with; a setting that is None is inherited.

    Attributes:
        nproc: Threads of the CPU backend.
        xla_flags: The compiler's flags.
        platform: `cpu` keeps jax on the CPU; anything else is ignored.
        variables: Other variables that may change bits, see `jaxpot/loop/jax_flags.toml`.
    """

    nproc: int | None = None
    xla_flags: str | None = None
    platform: str | None = None
    variables: Mapping[str, str] | None = None

    def environ(self) -> dict[str, str]:
        """Return a child's environment variables."""
        environ = dict(os.environ)
        if self.variables is not None:
            environ = with_settings(environ, self.variables)
        if self.nproc is not None:
            environ["NPROC"] = str(self.nproc)
        if self.xla_flags is not None:
            environ["XLA_FLAGS"] = self.xla_flags
        if self.platform == "cpu":
            environ["JAX_PLATFORMS"] = "cpu"
        return environ


class Child:
    """A process that trains what a request asks for; it is killed when its block is left.

    Args:
        request: What `jaxpot.verify.child` reads; see `jaxpot.verify.trials.request_for`.
        settings: The environment that it starts with.
        python: Another environment's interpreter, whose jaxpot trains; this one's when None.
        tell: Called with a line of progress for each of the rows.
    """

    def __init__(
        self,
        request: Mapping[str, Any],
        *,
        settings: Settings | None = None,
        python: str | None = None,
        tell: Tell = silent,
    ) -> None:
        self._runs_dir = Path(request["runs_dirs"][0])
        self._iterations = request["iterations"]
        self._tell = tell
        self._answer: dict[str, Any] | None = None
        environ = (settings or Settings()).environ()
        if python is not None:
            # What leads this interpreter to its packages would lead the other one to them too.
            environ = {k: v for k, v in environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
        asked = {**request, "path": None if python is not None else [str(p) for p in sys.path]}
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the block)
        try:
            self._process = subprocess.Popen(
                [python or sys.executable, "-P", child_module.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=environ,
            )
        except OSError as error:
            self._errors.close()
            raise UserError(f"{python}: cannot be started: {error.strerror}") from error
        self._records = self._read_records()
        self._send(json.dumps(asked).encode())

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdout, self._errors):
            if stream is not None:
                stream.close()

    def attempt(self) -> dict[str, Any]:
        """Wait for the journal's record of the attempt: where this process trains, and with what.

        Raises:
            UserError: The run cannot be made, or the process died.
        """
        for record in self._records:
            if isinstance(record, Attempt):
                return as_dict(record)
        raise RerunError("the re-run ended before it began")

    def rows(self) -> Iterator[Row]:
        """Yield each iteration of the first run as soon as it is recorded; then wait for the end.

        Raises:
            UserError: The run cannot be made, or the process died.
        """
        times: frozenset[str] = frozenset()
        for record in self._records:
            if isinstance(record, Keys):
                times = times_in(record)
            elif isinstance(record, Payload):
                self._tell(f"iteration {record.iter + 1} of {self._iterations}")
                yield row_of(record, times)

    def finish(self) -> dict[str, Any]:
        """Wait for the end and return the answer.

        Raises:
            UserError: The run cannot be made, or the process died.
        """
        if self._answer is None:
            stdout = self._process.stdout
            answer = _parsed(b"" if stdout is None else stdout.read())
            code = self._process.wait()
            if answer is None:
                self._errors.seek(0)
                lines = self._errors.read().decode(errors="replace").strip().splitlines()
                shown = "".join(f"\n  {line}" for line in lines[-_SHOWN_LINES:])
                raise RerunError(f"the re-run ended with status {code}{shown}")
            self._answer = answer
        if "error" in self._answer:
            raise UserError(self._answer["error"])
        return self._answer

    def wait_killed(self) -> None:
        """Wait for the process to kill itself, as the request asked.

        Raises:
            UserError: It ended in another way.
        """
        self._process.wait()
        if self._process.returncode != -9:
            self.finish()
            raise RerunError("the re-run ended before it was killed, as it should have been")

    def _send(self, request: bytes) -> None:
        stdin = self._process.stdin
        if stdin is None:
            return
        try:
            stdin.write(request)
            stdin.close()
        except BrokenPipeError:
            return  # it ended at once; `finish` says why

    def _read_records(self) -> Iterator[Record]:
        """Yield the attempts, keys and payloads that this process adds to its first journal."""
        journal: IO[bytes] | None = None
        started = False
        with ExitStack() as stack:
            while True:
                # Asked before reading, so that what was written last is not missed.
                over = self._process.poll() is not None
                if journal is None and (path := own_journal(self._runs_dir)) is not None:
                    journal = stack.enter_context(path.open("rb"))
                line = b"" if journal is None else journal.readline()
                if not line.endswith(b"\n"):
                    if over:
                        break
                    if journal is not None:
                        journal.seek(-len(line), os.SEEK_CUR)
                    time.sleep(_POLL_SECONDS)
                    continue
                # Parsing a long line takes far longer than looking for its kind.
                head = line[:_HEAD_BYTES]
                if not any(kind in head for kind in (b'"attempt"', b'"keys"', b'"payload"')):
                    continue
                try:
                    record = parse(line)
                except ValueError:
                    continue
                # A copy of a run begins with an attempt that another process made.
                if isinstance(record, Attempt) and record.pid == self._process.pid:
                    started = True
                if started and isinstance(record, Attempt | Keys | Payload):
                    yield record
        self.finish()


def own_journal(runs_dir: Path) -> Path | None:
    """Return the journal of the one run that a folder holds, not counting linked ones."""
    if not runs_dir.is_dir():
        return None
    for folder in runs_dir.iterdir():
        path = folder / JOURNAL_NAME
        if not folder.name.startswith(".") and not folder.is_symlink() and path.is_file():
            return path
    return None


def journal_in(runs_dir: Path) -> Path:
    """Return the journal of the one run that a re-run left in a folder."""
    path = own_journal(runs_dir)
    if path is None:
        raise RerunError(f"{runs_dir}: the re-run left no journal")
    return path


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
