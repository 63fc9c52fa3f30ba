"""SIGTERM and Ctrl-C: once, twice, while it compiles, and on a terminal."""

import os
import pty
import select
import signal
import subprocess
import termios
import time
from pathlib import Path

from jaxpot.store import Store
from tests.faults.outcomes import Outcome, outcome_of
from tests.faults.processes import answer, count, finished, start, wait_until
from tests.faults.specs import write_specs
from tests.faults.tally import Tally

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
LONG = ("-s", "iterations=1000000")


def all_stops(folder: Path) -> Tally:
    """Tries each signal at each moment."""
    tally = Tally()
    spec = write_specs(folder / "specs")["plain"]
    finished(folder / "whole", "run", str(spec))
    whole = outcome_of(folder / "whole")
    for number, code in CODES.items():
        for name, moment in (("once", once), ("twice", twice), ("while compiling", compiling)):
            with tally.case(f"{number.name} {name}"):
                moment(spec, folder / f"{number.name}-{name}", number, code, whole)
    with tally.case("Ctrl-C on a terminal"):
        on_a_terminal(spec, folder / "terminal")
    return tally


def once(spec: Path, runs_dir: Path, number: signal.Signals, code: int, whole: Outcome) -> None:
    """The run saves, says so, and is resumed to the unstopped run's bits."""
    process = start(runs_dir, "run", str(spec))
    wait_until(process, lambda: count(runs_dir, "payload") >= 3)
    process.send_signal(number)
    found, result, err = answer(process)
    assert (found, result["status"]) == (code, "interrupted"), (found, result, err)
    assert result["checkpoint"].endswith(f"{result['iterations']:06d}"), result
    assert number.name in err, err
    resumes(runs_dir, whole)


def twice(spec: Path, runs_dir: Path, number: signal.Signals, code: int, whole: Outcome) -> None:
    """The second one ends it at once, wherever it is; nothing recorded is lost."""
    process = start(runs_dir, "run", str(spec))
    wait_until(process, lambda: count(runs_dir, "payload") >= 3)
    process.send_signal(number)
    time.sleep(0.01)
    process.send_signal(number)
    found, _, err = answer(process)
    assert found == code, (found, err)
    Store(runs_dir).runs()
    resumes(runs_dir, whole)


def compiling(
    spec: Path, runs_dir: Path, number: signal.Signals, code: int, whole: Outcome
) -> None:
    """A run that has not begun to train stops after what it is compiling."""
    process = start(runs_dir, "run", str(spec))
    wait_until(process, lambda: count(runs_dir, "attempt") > 0)
    process.send_signal(number)
    found, result, err = answer(process)
    assert (found, result["status"]) == (code, "interrupted"), (found, result, err)
    resumes(runs_dir, whole)


def resumes(runs_dir: Path, whole: Outcome) -> None:
    """Resumes to the end, and holds the rows to the unstopped run's.

    The checkpoints differ: what an interrupted run saved is one more to keep.
    """
    finished(runs_dir, "resume", "latest")
    differ = set(outcome_of(runs_dir).differences(whole)) - {"checkpoints"}
    assert not differ, f"differs in {differ}"


def on_a_terminal(spec: Path, runs_dir: Path) -> None:
    """Ctrl-C, typed: exit status 130, and the terminal is unchanged."""
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    process = start(
        runs_dir,
        "run",
        str(spec),
        *LONG,
        stdin=theirs,
        stderr=theirs,
        preexec_fn=lambda: (os.setsid(), os.close(os.open(os.ttyname(theirs), os.O_RDWR))),
        env={"TERM": "xterm"},
    )
    said = bytearray()
    typed = False
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if select.select([ours], [], [], 0.05)[0]:
            said += os.read(ours, 65536)
        if not typed and count(runs_dir, "payload") >= 3:
            os.write(ours, b"\x03")
            typed = True
    try:
        assert process.poll() is not None, "it hung"
        while select.select([ours], [], [], 0.2)[0]:
            said += os.read(ours, 65536)
        assert process.returncode == 130, (process.returncode, bytes(said[-2000:]))
        assert termios.tcgetattr(theirs) == before, "the terminal's settings are others"
        for hide, show in ((b"\x1b[?25l", b"\x1b[?25h"), (b"\x1b[?1049h", b"\x1b[?1049l")):
            assert said.rfind(show) >= said.rfind(hide), f"{hide!r} was not undone"
        assert b"Traceback" not in said, bytes(said)
    finally:
        if process.poll() is None:
            process.kill()
        stop_reading(process)
        os.close(ours)
        os.close(theirs)


def stop_reading(process: subprocess.Popen[str]) -> None:
    """Closes what is left of a process."""
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
