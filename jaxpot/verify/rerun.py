"""Trains again in a child process, under settings that a process can only start with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import attrs

from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME, Attempt, Keys, Payload, Record, as_dict, parse
from jaxpot.loop.variables import with_settings
from jaxpot.verify import child as child_module
from jaxpot.verify.trace import Row, row_of, times_in

MAX_ISA = "--xla_cpu_max_isa"

_POLL_SECONDS = 0.05
_HEAD_BYTES = 64
_SHOWN_LINES = 8


class RerunError(UserError):
    """The child process ended without an answer: no fault of what the user gave."""

    exit_code = 1


@attrs.frozen(kw_only=True)
class Settings:
    """What a child starts with.

    Attributes:
        nproc: Threads of the CPU backend; as here when None.
        xla_flags: The compiler's flags; as here when None.
        platform: `cpu` to keep jax to it.
        variables: What else may change bits, as `jaxpot.loop.variables` has it; as here when None.
    """

    nproc: int | None = None
    xla_flags: str | None = None
    platform: str | None = None
    variables: Mapping[str, str] | None = None

    def environ(self) -> dict[str, str]:
        """Returns a child's environment."""
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
    """A process that trains as a request says; ended when its block is left.

    Args:
        request: What `jaxpot.verify.child` reads.
        settings: What it starts with.
        python: Another environment's interpreter, whose jaxpot trains; this one's when None.
    """

    def __init__(
        self,
        request: Mapping[str, Any],
        *,
        settings: Settings | None = None,
        python: str | None = None,
    ) -> None:
        self._runs_dir = Path(request["runs_dirs"][0])
        environ = (settings or Settings()).environ()
        if python is not None:
            # What leads this interpreter to its packages would lead the other one to them too.
            environ = {k: v for k, v in environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
        asked = {**request, "path": None if python is not None else [str(p) for p in sys.path]}
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the block)
        self._answer: dict[str, Any] | None = None
        self._times: frozenset[str] = frozenset()
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

    def records(self) -> Iterator[Record]:
        """Yields what this process appends to its first run's journal, as it comes.

        Only records of an attempt, of the declared keys and of payloads.

        Raises:
            UserError: The run cannot be made, or the process died.
        """
        path = self._journal()
        if path is not None:
            with path.open("rb") as lines:
                yield from self._own(lines)
        self.finish()

    def attempt(self, records: Iterator[Record]) -> dict[str, Any]:
        """Waits for the record that says where this process trains."""
        for record in records:
            if isinstance(record, Attempt):
                return as_dict(record)
        raise RerunError("the re-run ended before it began")

    def rows(self, records: Iterator[Record]) -> Iterator[Row]:
        """Yields the payload rows among `records`."""
        for record in records:
            if isinstance(record, Keys):
                self._times = times_in(record)
            elif isinstance(record, Payload):
                yield row_of(record, self._times)

    def finish(self) -> dict[str, Any]:
        """Waits for the end and returns the answer.

        Raises:
            UserError: The run cannot be made, or the process died.
        """
        answer = self._read_answer()
        if "error" in answer:
            raise UserError(answer["error"])
        return answer

    def killed(self) -> None:
        """Waits for the process to kill itself, as it was asked to.

        Raises:
            UserError: It ended in another way.
        """
        self._process.wait()
        if self._process.returncode != -9:
            self.finish()
            raise RerunError("the re-run that was to be killed ended before that")

    def _send(self, request: bytes) -> None:
        stdin = self._process.stdin
        if stdin is None:
            return
        try:
            stdin.write(request)
            stdin.close()
        except BrokenPipeError:
            return  # it ended at once; its answer, or the lack of one, tells why

    def _read_answer(self) -> dict[str, Any]:
        if self._answer is None:
            stdout = self._process.stdout
            out = b"" if stdout is None else stdout.read()
            code = self._process.wait()
            answer = _table(out)
            if answer is None:
                self._errors.seek(0)
                lines = self._errors.read().decode(errors="replace").strip().splitlines()
                told = "".join(f"\n  {line}" for line in lines[-_SHOWN_LINES:])
                raise RerunError(f"the re-run ended with status {code}{told}")
            self._answer = answer
        return self._answer

    def _journal(self) -> Path | None:
        """Waits for the journal of the run that this process makes or resumes."""
        while True:
            over = self._process.poll() is not None
            path = own_journal(self._runs_dir)
            if path is not None or over:
                return path
            time.sleep(_POLL_SECONDS)

    def _own(self, lines: IO[bytes]) -> Iterator[Record]:
        started = False
        while True:
            over = self._process.poll() is not None
            before = lines.tell()
            line = lines.readline()
            if not line.endswith(b"\n"):
                if over:
                    return
                lines.seek(before)
                time.sleep(_POLL_SECONDS)
                continue
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


def _table(text: bytes) -> dict[str, Any] | None:
    """Returns the JSON object that a process wrote, None where it wrote something else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def own_journal(runs_dir: Path) -> Path | None:
    """Returns the journal of the one run that a folder holds, linked ones aside."""
    if not runs_dir.is_dir():
        return None
    for folder in runs_dir.iterdir():
        path = folder / JOURNAL_NAME
        if not folder.name.startswith(".") and not folder.is_symlink() and path.is_file():
            return path
    return None
