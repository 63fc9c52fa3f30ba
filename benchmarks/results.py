"""What the shipped specs reach: trains them over seeds, and writes the table of docs/results.md.

    python -m benchmarks.results --seeds 3 [--runs-dir runs/results] [SPEC ...]

Runs that are there already, of a spec as it is now, are not trained again, so it can be stopped and
started at will.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import attrs

import jaxpot
from jaxpot.spec import load, spec_digest

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = ROOT / "docs" / "results.md"
QUERY = HERE / "results.sql"
MARK = "<!-- results -->"
SHIPPED = tuple(
    path
    for folder in ("specs", "specs/families")
    for path in sorted((ROOT / folder).glob("*.toml"))
    if path.stem != "smoke"  # which shows that everything runs, and learns nothing
)
TABLE = ("spec", "seeds", "gates kept", "seconds", "samples", "evaluation", "mean", "stderr")


def main() -> None:
    """Trains what is missing, and writes the table."""
    parser = argparse.ArgumentParser(description="Train the shipped specs and table the results.")
    parser.add_argument("specs", nargs="*", type=Path, default=SHIPPED, metavar="SPEC")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each spec (default 3)")
    parser.add_argument("--runs-dir", type=Path, default=ROOT / "runs" / "results")
    options = parser.parse_args()
    options.runs_dir.mkdir(parents=True, exist_ok=True)
    there = finished(options.runs_dir)
    for digest, (path, seed) in wanted(options.specs, options.seeds).items():
        if digest not in there:
            train(path, options.runs_dir, seed)
    write(rows(options.runs_dir, [*wanted(SHIPPED, options.seeds)]))


def wanted(specs: Iterable[Path], seeds: int) -> dict[str, tuple[Path, int]]:
    """Returns the specs and seeds that there should be runs of, by the runs' digests."""
    found = {}
    for path in specs:
        experiment = load(path).experiment
        for seed in range(experiment.seed, experiment.seed + seeds):
            found[spec_digest(attrs.evolve(experiment, seed=seed))] = path, seed
    return found


def finished(runs_dir: Path) -> set[str]:
    """Returns the digests of which there is a run that is over."""
    query = "SELECT spec_digest FROM runs WHERE status IN ('completed', 'gate_missed')"
    return {digest for (digest,) in jaxpot.open_store(runs_dir).sql(query)}


def train(path: Path, runs_dir: Path, seed: int) -> None:
    """Runs one seed in a separate process; a missed gate is a result too."""
    command = [sys.executable, "-m", "jaxpot", "--runs-dir", str(runs_dir), "run", str(path)]
    print(f"{path}, seed {seed}", file=sys.stderr, flush=True)
    done = subprocess.run([*command, "--quiet", "--seed", str(seed)], check=False)
    if done.returncode not in (0, 1):
        sys.exit(done.returncode)


def rows(runs_dir: Path, digests: list[str]) -> list[tuple[Any, ...]]:
    """Asks the store for the results of the specs as they are now."""
    query = QUERY.read_text(encoding="utf-8")
    return jaxpot.open_store(runs_dir).sql(query, specs=digests).rows()


def write(found: Iterable[tuple[Any, ...]]) -> None:
    """Puts the table after the page's mark."""
    head, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    lines = [f"| {' | '.join(TABLE)} |", "|---" * len(TABLE) + "|", *table_lines(found)]
    PAGE.write_text(head + MARK + "\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


def table_lines(found: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """Yields the table's lines; what is said of a spec is said in its first."""
    for name, evaluations in groupby(found, key=lambda row: row[0]):
        for place, row in enumerate(evaluations):
            _, seeds, passed, seconds, samples, key, mean, error = row
            of = f"{passed} of {seeds}"
            about = (f"`{name}`", f"{seeds}", of, f"{seconds:.0f}", f"{samples:,.0f}")
            cells = about if place == 0 else ("",) * len(about)
            shown = "-" if error is None else f"{error:.4f}"
            yield f"| {' | '.join(cells)} | `{key}` | {mean:.4f} | {shown} |"


if __name__ == "__main__":
    main()
