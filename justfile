# The recipes; `.ci/run` does what `check` does, in a fresh virtual environment.
default:
    @just --list

# Train a spec.
run spec="specs/ttt.toml" *options:
    jaxpot run {{spec}} {{options}}

# Run the fast tests; `just test -m slow` runs the others.
test *options:
    pytest {{options}}

# Everything that has to hold: format, lint, types, specs, tests.
check:
    ruff format --check
    ruff check
    basedpyright
    jaxpot check specs/*.toml specs/families/*.toml
    pytest
    pytest -m slow

# Hold specs to their golden files; `just golden --update` writes this machine's entries anew.
golden *options:
    for golden in specs/golden/*.json; do \
        JAX_PLATFORMS=cpu jaxpot verify "specs/$(basename "$golden" .json).toml" {{options}} \
            --golden "$golden" || exit; \
    done

# Run the benchmarks; each prints its ratios.
bench *options:
    python -m benchmarks {{options}}

# Train the shipped specs over seeds and write the table of docs/results.md from the store.
results *options:
    python -m benchmarks.results {{options}}

# Write every snapshot anew; read the difference before you keep it.
snapshots:
    pytest -n 0 --snapshot-update

# Format, and fix what the linter can.
fmt:
    ruff format
    ruff check --fix

# Kill, starve, damage and besiege it: docs/reliability.md.
faults *options:
    python -m tests.faults {{options}}

# Build the site from `docs/` into `site/`; needs `pip install -c constraints.txt -e ".[docs]"`.
docs:
    NO_MKDOCS_2_WARNING=1 mkdocs build --strict
