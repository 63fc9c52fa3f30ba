"""Assertions on a whole spec: it gives the same bits again, resumes to them, and keeps its keys.

Each trains in processes of its own, so jax may be loaded where the tests run, and with other
settings. What they write goes to a temporary folder.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs

from jaxpot.errors import UserError
from jaxpot.journal import Keys, records
from jaxpot.spec import Experiment, load, resolved
from jaxpot.verify.compare import Comparison, compare
from jaxpot.verify.rerun import Child, Settings
from jaxpot.verify.trace import journal_rows
from jaxpot.verify.trials import journal_in

Spec = str | Path | Experiment

_ENDED_WELL = ("completed", "gate_missed", "stopped")


class NotReproducibleError(AssertionError):
    """Two runs that have to be equal are not; `comparison` says where they first differ."""

    def __init__(self, what: str, comparison: Comparison) -> None:
        self.comparison = comparison
        super().__init__(f"{what}: {_words(comparison)}")


def assert_reproducible(
    spec: Spec,
    *,
    iterations: int | None = None,
    overrides: Sequence[str] = (),
    nproc: int | None = None,
) -> None:
    """Asserts that a spec gives the same bits in two fresh processes.

    Every state digest and every payload value but the times is compared, iteration by iteration.

    Args:
        spec: A spec's path, or an experiment.
        iterations: How many to run; all of the spec's when None.
        overrides: As `jaxpot run -s` takes them, such as `collect.selfplay.num_envs=8`.
        nproc: Threads of the CPU backend; as here when None.

    Raises:
        NotReproducibleError: With the first iteration and key that differ, and both values.
        UserError: The spec is wrong, or a run of it failed.
    """
    trial = _Trial.of(spec, overrides, iterations, nproc)
    with TemporaryDirectory(prefix="jaxpot-test-") as scratch:
        first, second = (trial.run(Path(scratch) / side) for side in ("first", "second"))
        _require_equal("a second run gives other bits", first, second)


def assert_resumable(
    spec: Spec,
    *,
    iterations: int | None = None,
    stops: Sequence[int] | None = None,
    overrides: Sequence[str] = (),
    nproc: int | None = None,
) -> None:
    """Asserts that a spec stopped and resumed, each time in a fresh process, gives the same bits.

    Args:
        spec: A spec's path, or an experiment.
        iterations: How many to run; all of the spec's when None.
        stops: After how many iterations to stop; once, halfway, when None.
        overrides: As `jaxpot run -s` takes them.
        nproc: Threads of the CPU backend; as here when None.

    Raises:
        NotReproducibleError: With the first iteration and key that differ, and both values.
        UserError: The spec is wrong, a run of it failed, or a stop is not between two iterations.
    """
    trial = _Trial.of(spec, overrides, iterations, nproc)
    ends = [trial.iterations // 2] if stops is None else sorted(stops)
    if not ends or not all(0 < end < trial.iterations for end in ends):
        raise UserError(
            f"stops: {ends} must lie between the first and the last of {trial.iterations} "
            "iterations; give others, or more iterations"
        )
    with TemporaryDirectory(prefix="jaxpot-test-") as scratch:
        unstopped = trial.run(Path(scratch) / "unstopped")
        stopped = attrs.evolve(trial, iterations=ends[0]).run(Path(scratch) / "stopped")
        for end in (*ends[1:], trial.iterations):
            attrs.evolve(trial, iterations=end).resume(stopped)
        _require_equal(f"stopped after {ends} and resumed, it gives other bits", unstopped, stopped)


def assert_payload_keys(
    spec: Spec,
    snapshot: Any,
    *,
    iterations: int = 1,
    overrides: Sequence[str] = (),
    nproc: int | None = None,
) -> None:
    """Asserts that the keys which a spec's runs record, and their dtypes, are those of a snapshot.

    A run declares every key before its first iteration, those too that come only sometimes, such
    as an evaluator's; the iterations that are run are held to what was declared.

    Args:
        spec: A spec's path, or an experiment.
        snapshot: What to compare `{key: dtype}` with: syrupy's fixture `snapshot`, or a dict.
        iterations: How many to run.
        overrides: As `jaxpot run -s` takes them.
        nproc: Threads of the CPU backend; as here when None.

    Raises:
        AssertionError: They differ.
        UserError: The spec is wrong, or its run failed.
    """
    trial = _Trial.of(spec, overrides, iterations, nproc)
    with TemporaryDirectory(prefix="jaxpot-test-") as scratch:
        journal = trial.run(Path(scratch) / "run")
        (declared,) = records(journal, Keys)
    keys = {key.name: key.dtype for key in declared.keys}
    if keys != snapshot:
        told = _diff(keys, snapshot)
        raise AssertionError(f"the payload has other keys than the snapshot:\n{told}")


@attrs.frozen(kw_only=True)
class _Trial:
    """A spec as it is to be trained, in a fresh process each time."""

    spec: dict[str, Any]
    iterations: int
    settings: Settings

    @classmethod
    def of(
        cls, spec: Spec, overrides: Sequence[str], iterations: int | None, nproc: int | None
    ) -> "_Trial":
        if isinstance(spec, Experiment):
            if overrides:
                raise UserError("overrides: an experiment takes none; change it, or give a path")
            given = resolved(spec)
        else:
            given = load(Path(spec), overrides=tuple(overrides)).resolved
        return cls(
            spec=given,
            iterations=given["iterations"] if iterations is None else iterations,
            settings=Settings(nproc=nproc),
        )

    def run(self, runs_dir: Path) -> Path:
        """Starts a run in a fresh folder and returns its journal when it has ended."""
        runs_dir.mkdir()
        self._train(runs_dir, {"action": "run", "spec": self.spec})
        return journal_in(runs_dir)

    def resume(self, journal: Path) -> None:
        """Continues a run."""
        folder = journal.parent
        self._train(folder.parent, {"action": "resume", "uid": folder.name})

    def _train(self, runs_dir: Path, asked: Mapping[str, Any]) -> None:
        request = {**asked, "iterations": self.iterations, "runs_dirs": [str(runs_dir)]}
        with Child(request, settings=self.settings) as child:
            (result,) = child.finish()["results"]
        if result["status"] not in _ENDED_WELL:
            raise UserError(f"the run ended as {result['status']}: {result['reason']}")


def _require_equal(what: str, a: Path, b: Path) -> None:
    found = compare(journal_rows(a), journal_rows(b))
    if found.first is not None:
        raise NotReproducibleError(what, found)


def _words(comparison: Comparison) -> str:
    if comparison.first is None:
        return "no difference"
    told = comparison.first.record()
    a, b = told["a"], told["b"]
    return (
        f"iteration {told['iteration']}, {told['key']}: {a['hex']} ({a['decimal']}) and "
        f"{b['hex']} ({b['decimal']})"
    )


def _diff(keys: Mapping[str, str], snapshot: Any) -> str:
    if not isinstance(snapshot, Mapping):
        return "\n".join(snapshot.get_assert_diff())
    names = [*keys, *(name for name in snapshot if name not in keys)]
    return "\n".join(
        f"  {name}: {keys.get(name, 'absent')}, in the snapshot {snapshot.get(name, 'absent')}"
        for name in names
        if keys.get(name) != snapshot.get(name)
    )
