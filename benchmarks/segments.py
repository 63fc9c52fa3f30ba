"""A worker that runs one loop in segments, each on request, for the benchmarks of the loop.

    python benchmarks/segments.py {floor,program,runner,silent} SPEC --segment N

The loop is the hand-fused floor; the runner's iteration program alone; the runner with everything
on (each iteration's metrics in the journal, the ingest child, checkpoints, profiled iterations);
or the runner with nothing recorded. A segment is `N` iterations and ends where the runner has
fetched everything, so the device is idle between segments. Evaluations are left out: they are
programs of their own, and the floor has none.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from jaxpot.loop import run as runner
from jaxpot.loop.environment import prepare
from jaxpot.loop.observer import Observer, RunResult
from jaxpot.spec import Experiment, load
from jaxpot.spec.registry import replay_iterations

LOOPS = ("floor", "program", "runner", "silent")


def experiment_of(spec: Path, overrides: list[str], segment: int) -> Experiment:
    """Loads a spec without what only evaluates, with a host event at every segment's end."""
    given = load(spec, overrides=overrides).experiment
    checkpoint, runtime, collect = given.checkpoint, given.runtime, given.collect
    if collect.random is not None and collect.random.until is not None:
        # Steady state is what follows the random warm-up; one segment of it is enough here.
        random = attrs.evolve(collect.random, until=min(collect.random.until, segment))
        collect = attrs.evolve(collect, random=random)
    if checkpoint.best is not None and checkpoint.best.metric.startswith("eval_"):
        checkpoint = attrs.evolve(checkpoint, best=None)
    if segment % (runtime.profile_every or segment) or segment % (checkpoint.every or segment):
        checkpoint = attrs.evolve(checkpoint, every=segment)
        runtime = attrs.evolve(runtime, profile_every=segment if runtime.profile_every else 0)
    return attrs.evolve(
        given,
        eval={},
        expect=(),
        iterations=1_000_000_000,
        collect=collect,
        checkpoint=checkpoint,
        runtime=runtime,
    )


def warm_up(experiment: Experiment, segment: int) -> int:
    """Counts the iterations until the last regime's programs are compiled, and the replay full."""
    random = experiment.collect.random
    until = (random.until or 0) if random is not None else 0
    until = max(until, replay_iterations(experiment.algorithm))
    return (until // segment + 2) * segment


def turns() -> Iterator[None]:
    """Says that the worker is ready, then yields once for every line that it is sent."""
    print("ready", flush=True)
    for _ in sys.stdin:
        yield


class Watch:
    """Wall-clock and CPU seconds of a turn; the CPU's are of this process and its children."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), _cpu_seconds()

    def answer(self, iterations: int) -> None:
        """Answers a turn with the cost of one of its iterations."""
        wall, cpu = time.perf_counter() - self._wall, _cpu_seconds() - self._cpu
        print(wall / iterations, cpu / iterations, flush=True)


def _children() -> list[int]:
    found = Path("/proc/self/task").glob("*/children")
    return [int(child) for task in found for child in task.read_text().split()]


def _cpu_seconds() -> float:
    ticks = 0
    for child in _children():
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


class Baton(Observer):
    """Holds a run between segments; the run ends when there are no more turns."""

    def __init__(self, segment: int, warm: int) -> None:
        self._segment, self._warm = segment, warm
        self._turns: Iterator[None] | None = None
        self._watch: Watch | None = None
        self._held = 0.0
        self._laps: dict[bool, list[float]] = {False: [], True: []}
        self._compiled: Counter[str] = Counter()
        self.report: dict[str, Any] = {}

    def compiled(self, program: str, seconds: float) -> None:
        """Counts a compiled program."""
        del seconds
        self._compiled[program] += 1

    def payload(self, payload: Mapping[str, float | int]) -> None:
        """Ends a segment and waits for the next turn."""
        done = int(payload["iter"]) + 1
        if done > self._warm:
            self._laps["timings/training" in payload].append(float(payload["timings/total"]))
        if done < self._warm or done % self._segment:
            return
        if self._watch is not None:
            self._watch.answer(self._segment)
        held = time.perf_counter()
        _signal_children(signal.SIGSTOP)
        self._turns = self._turns or turns()
        closed = next(self._turns, "closed") == "closed"
        _signal_children(signal.SIGCONT)
        if closed:
            os.kill(os.getpid(), signal.SIGTERM)
        self._held += time.perf_counter() - held
        self._watch = Watch()

    def finished(self, result: RunResult) -> None:
        """Keeps where the time went."""
        # The observer's time counts as recording.
        spent = {**result.time, "record": result.time["record"] - self._held}
        compiles = dict(self._compiled)
        self.report = {"iterations": result.iterations, "time": spent, "compiles": compiles}
        for profiled, name in ((False, "plain"), (True, "stepped")):
            if self._laps[profiled]:
                self.report[name] = statistics.median(self._laps[profiled])


def _signal_children(number: signal.Signals) -> None:
    """Pauses the ingest child while another arm has its turn, or lets it go on."""
    for child in _children():
        os.kill(child, number)


def run_floor(experiment: Experiment, segment: int) -> None:
    """Serves turns of the floor."""
    prepare(experiment.runtime)
    if experiment.algorithm.kind == "alphazero":
        from search_floor import SearchFloor as Floor
    else:
        from floor_loop import Floor

    floor = Floor(experiment)
    floor.run(warm_up(experiment, segment))
    for _ in turns():
        watch = Watch()
        floor.run(segment)
        watch.answer(segment)
    print(json.dumps({"compiles": floor.compiles}))


def run_program(experiment: Experiment, segment: int) -> None:
    """Serves turns of the runner's iteration program, without the runner."""
    prepare(experiment.runtime)
    import jax

    from jaxpot.loop.context import build_context
    from jaxpot.loop.lower import split_state
    from jaxpot.loop.phases import compile_graph
    from jaxpot.loop.programs import Programs
    from jaxpot.loop.streams import root_key_data

    graph = compile_graph(experiment)
    programs = Programs(graph, build_context(experiment, Path("runs")), lambda *_: None)
    root_key = jax.device_put(root_key_data(experiment.seed))
    state, _ = programs.init()(root_key)

    def run(first: int, count: int) -> None:
        nonlocal state
        for t in range(first, first + count):
            regime = graph.regime_at(t)
            changing, fixed = split_state(graph, regime, state)
            changed, output = programs.iteration(regime)(changing, fixed, root_key)
            state = fixed | changed
        jax.block_until_ready((state, output))

    done = warm_up(experiment, segment)
    run(0, done)
    for _ in turns():
        watch = Watch()
        run(done, segment)
        watch.answer(segment)
        done += segment


def run_runner(experiment: Experiment, segment: int, *, recorded: bool) -> None:
    """Serves turns of a whole run, in a folder that is removed."""
    baton = Baton(segment, warm_up(experiment, segment))
    prepare(experiment.runtime)
    if not recorded:
        _record_nothing()
    with tempfile.TemporaryDirectory(prefix="jaxpot-bench-") as folder:
        runner.run(experiment, runs_dir=Path(folder), observer=baton, ingest=recorded)
    print(json.dumps(baton.report))


def _record_nothing() -> None:
    """Puts a recorder and a journal that drop everything in the place of the real ones."""
    from jaxpot.loop import recorder, run
    from jaxpot.store.journal import Journal

    class SilentJournal(Journal):
        def append(self, record: Mapping[str, Any]) -> None:
            """Drops the record."""

        def sync(self) -> None:
            """Does nothing."""

    class SilentRecorder(recorder.Recorder):
        def iteration(self, iteration: int, metrics: Any, digest: Any, **timed: Any) -> None:
            """Only counts."""
            self.last["iter"] = iteration
            self._observer.payload({"iter": iteration, "timings/total": timed["seconds"]})

        def digests(self, iteration: int, scope: str, values: Any) -> None:
            """Drops the digests."""

    run.Journal, recorder.Recorder = SilentJournal, SilentRecorder  # type: ignore


def main() -> None:
    """Serves turns until standard input is closed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("loop", choices=LOOPS)
    parser.add_argument("spec", type=Path)
    parser.add_argument("-s", dest="overrides", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--segment", type=int, default=100, help="iterations in a segment")
    options = parser.parse_args()
    experiment = experiment_of(options.spec, options.overrides, options.segment)
    match options.loop:
        case "floor":
            run_floor(experiment, options.segment)
        case "program":
            run_program(experiment, options.segment)
        case loop:
            run_runner(experiment, options.segment, recorded=loop == "runner")


if __name__ == "__main__":
    main()
