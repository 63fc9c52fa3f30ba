"""Run one experiment under several seeds, one after another, and judge the runs together."""

import gc
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import attrs

from jaxpot.errors import UserError
from jaxpot.journal import JOURNAL_NAME, Event, Journal, read_record
from jaxpot.loop import run as runner
from jaxpot.loop.observer import Observer, RunResult
from jaxpot.loop.result import judge, waiting
from jaxpot.signals import StopRequest
from jaxpot.spec import Experiment, Loaded
from jaxpot.spec.configs.experiment import MAX_SEED
from jaxpot.statistics import Spread, spread_of
from jaxpot.store.gates import SEEDS
from jaxpot.store.runs import RunLock

_COMPLETE = ("completed", "gate_missed")
_WHOLE = (*_COMPLETE, "stopped")

Watch = Callable[[int], AbstractContextManager[Observer]]


@attrs.frozen(kw_only=True)
class SeedsResult:
    """The result of runs under several seeds.

    Attributes:
        name: The spec's name.
        seeds: The seeds that were asked for.
        status: completed, gate_missed, stopped, failed or interrupted.
        reason: Why, in a sentence.
        exit_code: The process's exit status, as for a single run.
        runs: Each run's result by its seed; fewer than `seeds` after an interruption.
        expect: One verdict of `jaxpot.store.gates.judge` per gate over several seeds. The runs'
            results have the verdicts on the other gates.
        metrics: The spread of each key's last values, over the runs that were not cut short.
        warnings: Events that could not be written into the runs' journals.
    """

    name: str
    seeds: tuple[int, ...]
    status: str
    reason: str
    exit_code: int
    runs: dict[int, RunResult]
    expect: list[dict[str, Any]]
    metrics: dict[str, Spread]
    warnings: tuple[str, ...]


def run_seeds(
    what: Loaded | Experiment,
    *,
    seeds: int,
    runs_dir: Path,
    iterations: int | None = None,
    init_from: str | None = None,
    watch: Watch | None = None,
    ingest: bool = True,
) -> SeedsResult:
    """Run an experiment under its own seed and the seeds that follow it, one run each.

    After a run that fails, the others still run; a signal that stops a run stops them all.

    Args:
        what: What `jaxpot.spec.source.load` gave, or an experiment.
        seeds: How many.
        runs_dir: As of `jaxpot.loop.run.run`.
        iterations: As of `run`.
        init_from: As of `run`.
        watch: Gives the observer of the run under a seed, for as long as that runs.
        ingest: As of `run`.

    Raises:
        UserError: There are not that many seeds, or the experiment cannot be built.
    """
    given = what if isinstance(what, Experiment) else what.experiment
    wanted = range(given.seed, given.seed + seeds)
    if wanted[-1] > MAX_SEED:
        raise UserError(
            f"--seeds {seeds}: from seed {given.seed} on there are none above {MAX_SEED}"
        )
    runs: dict[int, RunResult] = {}
    warnings: list[str] = []
    opponents: dict[str, dict[str, Any]] | None = None
    with StopRequest() as stop:
        for seed in wanted:
            with nullcontext() if watch is None else watch(seed) as observer:
                result = runner.run(
                    attrs.evolve(given, seed=seed),
                    runs_dir=runs_dir,
                    iterations=iterations,
                    init_from=init_from,
                    opponents=opponents,
                    observer=observer,
                    ingest=ingest,
                )
            runs[seed] = result
            warnings += _append(result, SEEDS, [{"first": wanted[0], "count": seeds}])
            if stop.signal is not None:
                break
            if seed == wanted[0]:
                # A name, or `latest`, would be this first run from now on.
                record = read_record(result.run_dir)
                opponents = record.opponents
                init_from = None if record.parent is None else str(runs_dir / record.parent)
            _release()
    planned = max(given.iterations, iterations or 0)
    experiment = attrs.evolve(given, iterations=planned)
    results = list(runs.values())
    ended = [each for each in results if each.status in _COMPLETE]
    failed = [each for each in results if each.status == "failed"]
    judged = bool(ended) and len(ended) + len(failed) == seeds
    folders = [each.run_dir for each in (ended + failed if judged else results)]
    # Each run has judged its other gates by itself.
    gates = [gate for gate in experiment.expect if gate.seeds > 1]
    expect = judge(experiment, gates, folders, complete=judged)
    verdicts = [gate for gate in expect if gate["judged"]]
    for each in ended + failed:
        warnings += _append(each, "expect", verdicts)
    status, reason = _outcome(runs, wanted, expect)
    if status == "interrupted" and stop.signal is not None:
        reason = f"{stop.signal.name} was received{reason}"
    codes = {"gate_missed": 1, "failed": 1, "interrupted": stop.exit_code}
    return SeedsResult(
        name=experiment.name,
        seeds=tuple(wanted),
        status=status,
        reason=reason,
        exit_code=codes.get(status, 0),
        runs=runs,
        expect=expect,
        metrics=_spreads([each.metrics for each in results if each.status in _WHOLE]),
        warnings=tuple(warnings),
    )


def _append(result: RunResult, name: str, payloads: Sequence[dict[str, Any]]) -> list[str]:
    if not payloads:
        return []
    try:
        with RunLock(result.run_dir), Journal(result.run_dir / JOURNAL_NAME) as journal:
            for payload in payloads:
                journal.append(Event(attempt=result.attempt, name=name, payload=payload))
            journal.sync()
    except (UserError, OSError) as error:
        return [f"run {result.uid}: its event `{name}` is not recorded: {error}"]
    return []


def _release() -> None:
    """Free a run's programs: Linux allows a process only some dozen runs' worth of them."""
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
        gc.collect()


def _outcome(
    runs: dict[int, RunResult], wanted: range, expect: Sequence[dict[str, Any]]
) -> tuple[str, str]:
    statuses = {seed: result.status for seed, result in runs.items()}
    if len(runs) < len(wanted) or "interrupted" in statuses.values():
        left = [seed for seed in wanted if seed not in runs]
        return "interrupted", f"; {_words(left)} did not run" if left else ""
    failed = [seed for seed, status in statuses.items() if status == "failed"]
    if failed:
        return "failed", f"of {len(runs)} runs {len(failed)} failed: {_words(failed)}"
    if "stopped" in statuses.values():
        done = next(iter(runs.values())).iterations
        return "stopped", f"stopped as asked after {done} iterations of each"
    if "gate_missed" in statuses.values() or any(gate["passed"] is False for gate in expect):
        return "gate_missed", f"all {len(runs)} runs are complete and a gate was missed"
    return "completed", f"all {len(runs)} runs are complete{waiting(expect)}"


def _words(seeds: Sequence[int]) -> str:
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    if seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"seeds {', '.join(map(str, seeds))}"


def _spreads(metrics: Sequence[dict[str, Any]]) -> dict[str, Spread]:
    keys = [key for key in metrics[0] if all(key in each for each in metrics)] if metrics else []
    return {key: spread_of([each[key] for each in metrics]) for key in keys if key != "iter"}
