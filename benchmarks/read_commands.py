"""What a reading command costs over importing duckdb alone; the goal is 2 for `jaxpot ls`.

    python benchmarks/read_commands.py [--runs N] [--iterations N] [--repeats N]

Every turn is a fresh process, with all bytecode compiled and all files cached. The runs directory
holds `N` runs of 25 metrics an iteration, ingested already. The package is imported as installed.
"""

import argparse
import tempfile
from pathlib import Path

from interleave import CPU_HEADER, Command, interleave, machine, print_table, ratio_rows
from store import generate

from jaxpot.store import Store

COMMANDS = {
    "jaxpot ls": ("ls",),
    "jaxpot ls --json": ("ls", "--json"),
    "jaxpot show latest": ("show", "latest"),
    "jaxpot sql": ("sql", "select count(*) from metric"),
}
GOAL = 2.0
KEYS = 25


def main() -> None:
    """Measures every reading command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jaxpot-bench-") as folder:
        points = options.runs * options.iterations * KEYS
        generate(Path(folder), points=points, runs=options.runs, keys=KEYS)
        Store(Path(folder)).ingest()
        arms = {"import duckdb": Command("-c", "import duckdb")}
        entry = ("-c", "from jaxpot.cli.main import main; main()", "--runs-dir", folder)
        arms |= {name: Command(*entry, *words) for name, words in COMMANDS.items()}
        for arm in arms.values():
            arm()
            arm.cpu.clear()
        costs = interleave(arms, repeats=options.repeats)
    title = f"{options.runs} runs of {options.iterations} iterations, {machine()} (goal {GOAL})"
    cpu = {name: arm.cpu for name, arm in arms.items()}
    print_table(title, CPU_HEADER, ratio_rows(costs, "import duckdb", cpu=cpu))


if __name__ == "__main__":
    main()
