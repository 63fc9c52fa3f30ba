"""Ratios that hold on a busy machine: arms take turns, and each pair of neighbours gives a ratio.

Load that lasts longer than a turn slows both arms of a pair alike, so the median of the pairwise
ratios stays put where the times themselves do not.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Arm = Callable[[], float]
"""Does one turn and returns what it cost: seconds of an iteration, say, or of a command."""


def interleave(arms: Mapping[str, Arm], *, repeats: int) -> dict[str, list[float]]:
    """Lets every arm take a turn, `repeats` times, in an order that is reversed each time."""
    costs: dict[str, list[float]] = {name: [] for name in arms}
    for repeat in range(repeats):
        names = list(arms) if repeat % 2 == 0 else list(arms)[::-1]
        for name in names:
            costs[name].append(arms[name]())
    return costs


def pairwise(over: Sequence[float], under: Sequence[float]) -> tuple[float, float, float]:
    """Returns the lower quartile, the median and the upper quartile of `over[i] / under[i]`."""
    ratios = [a / b for a, b in zip(over, under, strict=True)]
    if len(ratios) == 1:
        return ratios[0], ratios[0], ratios[0]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return low, middle, high


def ratio_rows(
    costs: Mapping[str, Sequence[float]],
    base: str,
    *,
    unit: str = "ms",
    cpu: Mapping[str, Sequence[float]] | None = None,
) -> list[tuple[str, ...]]:
    """Returns a table's rows: each arm's median cost, and its ratio to `base` with quartiles.

    With `cpu`, the ratio of CPU time, which a busy machine disturbs less, is a last column.
    """
    scale = {"s": 1.0, "ms": 1e3, "us": 1e6}[unit]
    rows = []
    for name, each in costs.items():
        cost = f"{scale * statistics.median(each):.3f} {unit}"
        low, middle, high = pairwise(each, costs[base])
        row = (name, cost, f"{middle:.3f}", f"{low:.3f}..{high:.3f}")
        rows.append(row if cpu is None else (*row, f"{pairwise(cpu[name], cpu[base])[1]:.3f}"))
    return rows


RATIO_HEADER = ("arm", "median", "ratio", "quartiles")
CPU_HEADER = (*RATIO_HEADER, "of CPU time")


def each_spec(doc: str, specs: Sequence[str], measure: Callable[..., None]) -> None:
    """Reads a benchmark's command line and measures every spec that is asked for.

    Args:
        doc: What the benchmark is, its first line for `--help`.
        specs: Those that are measured by default, as `SPEC:SEGMENT`.
        measure: Takes a spec's path, and `segment`, `repeats` and `overrides` by keyword.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("specs", nargs="*", default=specs, metavar="SPEC:SEGMENT")
    parser.add_argument("-s", dest="overrides", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    for each in options.specs:
        spec, _, segment = each.partition(":")
        measure(
            spec,
            segment=int(segment or 100),
            repeats=options.repeats,
            overrides=options.overrides,
        )


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a title and columns of text."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    print(f"\n{title}")
    for row in (header, ["-" * width for width in widths], *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  " + "  ".join(cells).rstrip())
    sys.stdout.flush()


def machine() -> str:
    """Says what else the machine was doing: the load over a minute, and the cores."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


class Command:
    """A turn that is a Python command, run to its end in a fresh process.

    Attributes:
        cpu: CPU seconds of each turn, of the process and of the children that it waited for.
    """

    def __init__(self, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
        self._line = [sys.executable, *arguments]
        self._environ = {**os.environ, **(environ or {})}
        self.cpu: list[float] = []

    def __call__(self) -> float:
        """Runs the command and returns its wall-clock seconds.

        Raises:
            RuntimeError: The command failed; its standard error is the message.
        """
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            self._line, env=self._environ, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - started
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(self._line)}: {done.stderr.strip()}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        return seconds


class Worker:
    """A process that does one turn for every line it is sent, and answers with its cost.

    It writes a first line when it is ready, then wall-clock and CPU seconds for each turn; what it
    writes after its input is closed is its report.
    """

    def __init__(self, script: Path, *arguments: str) -> None:
        self.cpu: list[float] = []
        self._process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def turn(self) -> float:
        """Has the worker do one turn and returns its wall-clock cost; the CPU's is in `cpu`."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        wall, cpu = map(float, self._answer().split())
        self.cpu.append(cpu)
        return wall

    def close(self) -> str:
        """Ends the worker and returns its report."""
        report, _ = self._process.communicate()
        return report.strip()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker ended: exit status {self._process.wait()}")
        return line
