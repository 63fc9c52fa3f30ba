"""Assertions on a whole spec: it is reproducible, resumable, and keeps its payload keys.

Each trains in child processes, so the tests may have loaded jax with other settings. What they
write goes to a temporary folder.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs

from jaxpot.errors import UserError
from jaxpot.journal import Keys, records
from jaxpot.spec import Experiment, load, resolved
from jaxpot.verify.compare import Comparison, compare, decimal, hexadecimal, journal_rows
from jaxpot.verify.rerun import Settings, journal_in
from jaxpot.verify.trials import FreshSpec, resume, start

Spec = str | Path | Experiment

_ENDED_WELL = ("completed", "gate_missed", "stopped")


class NotReproducibleError(AssertionError):
    """Two runs that should be equal differ; `comparison` says where first."""

    def __init__(self, what: str, comparison: Comparison) -> None:
        self.comparison = comparison
        first = comparison.first
        if first is not None:
            a, b = (f"{hexadecimal(x)} ({decimal(x)})" for x in (first.a, first.b))
            what += f": iteration {first.iteration}, {first.key}: {a} and {b}"
        super().__init__(what)


def assert_reproducible(
    spec: Spec,
    *,
    iterations: int | None = None,
    overrides: Sequence[str] = (),
    nproc: int | None = None,
) -> None:
    """Assert that a spec gives the same bits in two fresh processes.

    Every state digest and every payload value except times is compared, iteration by iteration.

    Args:
        spec: A spec's path, or an experiment.
        iterations: How many to run; all of the spec's when None.
        overrides: As for `jaxpot run -s`, such as `collect.selfplay.num_envs=8`.
        nproc: Threads of the CPU backend; as in this process when None.

    Raises:
        NotReproducibleError: With the first iteration and key that differ, and both values.
        UserError: The spec is wrong, or a run of it failed.
    """
    subject = _subject(spec, overrides, iterations, nproc)
    with TemporaryDirectory(prefix="jaxpot-test-") as scratch:
        first, second = (_run(subject, Path(scratch) / side) for side in ("first", "second"))
        _require_equal("a second run gives other bits", first, second)


def assert_resumable(
    spec: Spec,
    *,
    iterations: int | None = None,
    stops: Sequence[int] | None = None,
    overrides: Sequence[str] = (),
    nproc: int | None = None,
) -> None:
    """Assert that a spec gives the same bits if it is stopped and resumed in fresh processes.

    Args:
        spec: As for `assert_reproducible`; so are `iterations`, `overrides` and `nproc`.
        stops: After how many iterations to stop; once, halfway, when None.

    Raises:
        NotReproducibleError: With the first iteration and key that differ, and both values.
        UserError: The spec is wrong, a run of it failed, or a stop is not between two iterations.
    """
    subject = _subject(spec, overrides, iterations, nproc)
    ends = [subject.iterations // 2] if stops is None else sorted(stops)
    if not ends or not all(0 < end < subject.iterations for end in ends):
        raise UserError(
            f"stops: {ends} must be between the first and the last of {subject.iterations} "
            "iterations; give others, or more iterations"
        )
    with TemporaryDirectory(prefix="jaxpot-test-") as scratch:
        unstopped = _run(subject, Path(scratch) / "unstopped")
        stopped = _run(attrs.evolve(subject, iterations=ends[0]), Path(scratch) / "stopped")
        for end in (*ends[1:], subject.iterations):
            _require_good_end(resume(stopped, settings=subject.settings, iterations=end))
        _require_equal(f"stopped after {ends} and resumed, it gives other bits", unstopped, stopped)


def assert_payload_keys(
    spec: Spec,
    snapshot: Any,
    *,
    iterations: int = 1,
    overrides: Sequence[str] = (),
    nproc: int | None = None,
) -> None:
    """Assert that a spec's runs record the keys and dtypes of a snapshot.

    A run declares every key before its first iteration, also those that come only sometimes, such
    as an evaluator's; the iterations that are run are checked against the declaration.

    Args:
        spec: As for `assert_reproducible`; so are `iterations`, `overrides` and `nproc`.
        snapshot: What to compare `{key: dtype}` with: syrupy's fixture `snapshot`, or a dict.

    Raises:
        AssertionError: They differ.
        UserError: The spec is wrong, or its run failed.
    """
    subject = _subject(spec, overrides, iterations, nproc)
    with TemporaryDirectory(prefix="jaxpot-test-") as scratch:
        journal = _run(subject, Path(scratch) / "run")
        (declared,) = records(journal, Keys)
    keys = {key.name: key.dtype or "" for key in declared.keys}
    if keys != snapshot:
        differences = _differences(keys, snapshot)
        raise AssertionError(f"the payload has other keys than the snapshot:\n{differences}")


def _subject(
    spec: Spec, overrides: Sequence[str], iterations: int | None, nproc: int | None
) -> FreshSpec:
    if isinstance(spec, Experiment):
        if overrides:
            raise UserError("overrides: an experiment takes none; change it, or give a path")
        given = resolved(spec)
    else:
        given = load(Path(spec), overrides=tuple(overrides)).resolved
    return FreshSpec(
        spec=given,
        iterations=given["iterations"] if iterations is None else iterations,
        settings=Settings(nproc=nproc),
    )


def _run(subject: FreshSpec, runs_dir: Path) -> Path:
    """Train in a fresh folder and return the journal."""
    with start(subject, runs_dir) as child:
        _require_good_end(child.finish())
    return journal_in(runs_dir)


def _require_good_end(answer: Mapping[str, Any]) -> None:
    (result,) = answer["results"]
    if result["status"] not in _ENDED_WELL:
        raise UserError(f"the run ended as {result['status']}: {result['reason']}")


def _require_equal(what: str, a: Path, b: Path) -> None:
    found = compare(journal_rows(a), journal_rows(b))
    if found.first is not None:
        raise NotReproducibleError(what, found)


def _differences(keys: Mapping[str, str], snapshot: Any) -> str:
    if not isinstance(snapshot, Mapping):
        return "\n".join(snapshot.get_assert_diff())
    return "\n".join(
        f"  {name}: {keys.get(name, 'absent')}, in the snapshot {snapshot.get(name, 'absent')}"
        for name in dict.fromkeys((*keys, *snapshot))
        if keys.get(name) != snapshot.get(name)
    )
