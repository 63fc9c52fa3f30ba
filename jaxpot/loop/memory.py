"""Check that an experiment fits into memory, and word the error if it does not.

There are two checks. Before a run's folder is made, the traced sizes are a lower bound. After a
program is compiled and before it is called, the compiler knows what it takes.
"""

import math
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxpot import formatting as words
from jaxpot.errors import UserError
from jaxpot.loop.context import Context
from jaxpot.loop.graph import PhaseGraph
from jaxpot.loop.lower import written_shapes
from jaxpot.loop.phase import State
from jaxpot.loop.streams import IMPLEMENTATION

FAILURES = (jax.errors.JaxRuntimeError, MemoryError)
"""What jax raises if the device fails, or the memory of the host or the device is short."""

_ADVICE = (
    "fewer games at a time (num_envs, num_games), fewer steps, a smaller network, or a smaller "
    "league needs less"
)
# Tracing a whole iteration takes seconds. It is worth it only if rows of this many bytes, plus as
# many for each element of an observation, would fill that part of the memory.
_ROW_BYTES = 4096
_ROW_ELEMENT = 64
_WORTH_TRACING = 0.25
_MANY_GAMES = 1_000_000


class MemoryShortageError(MemoryError):
    """A compiled program takes more memory than there is."""


class Free(NamedTuple):
    """The memory that is free, and who limits it."""

    bytes: int
    words: str


def check_fits(graph: PhaseGraph, context: Context, state: State) -> None:
    """Refuse an experiment whose state (of shapes `state`) and rows cannot fit into memory.

    Raises:
        UserError: It needs more than is free, with both numbers.
    """
    free = free_memory()
    for needed, what in _lower_bounds(graph, context, state, free):
        if needed > free.bytes:
            raise UserError(
                f"{what} take at least {words.size(needed)}, and {free.words} has "
                f"{words.size(free.bytes)} free: {_ADVICE}; `jaxpot plan` shows every size"
            )


def check_program(name: str, compiled: Any) -> None:
    """Refuse to call a compiled program for which there is not enough memory.

    Raises:
        MemoryShortageError: It takes more than is free, with both numbers.
    """
    found = compiled.memory_analysis()
    if found is None:  # a backend that does not tell
        return
    needed = found.temp_size_in_bytes + found.output_size_in_bytes - found.alias_size_in_bytes
    free = free_memory()
    if needed > free.bytes:
        raise MemoryShortageError(
            f"the program {name} takes {words.size(needed)}, and {free.words} has "
            f"{words.size(free.bytes)} free: {_ADVICE}"
        )


def failure_text(error: BaseException) -> str | None:
    """Return one line on one of `FAILURES`; None if a callback raised it: show its traceback."""
    text = str(error)
    if "Traceback (most recent call last)" in text:  # of a callback's
        return None
    line = next(iter(text.splitlines()), "") or type(error).__name__
    if isinstance(error, MemoryShortageError):
        return line
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text:
        return f"out of memory: {line}; {_ADVICE}"
    return f"jax failed: {line}"


def free_memory() -> Free:
    """Return how much memory programs may still take: the device's, or this process's."""
    stats = jax.devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        left = stats["bytes_limit"] - stats.get("bytes_in_use", 0)
        return Free(left, f"the device ({jax.devices()[0].device_kind})")
    return min((*_of_machine(), *_of_control_groups(), *_of_limits()), default=_UNKNOWN)


_UNKNOWN = Free(1 << 62, "this machine")


def _lower_bounds(
    graph: PhaseGraph, context: Context, state: State, free: Free
) -> Iterator[tuple[int, str]]:
    held = tree_bytes(state)
    yield held, "the network, the optimizer's state, the games and all else that a run keeps"
    experiment = context.experiment
    collect = experiment.collect
    parts = (collect.selfplay, collect.random, collect.league, collect.archive)
    lanes = sum(part.num_envs for part in parts if part is not None)
    games = max((getattr(each, "num_games", 0) for each in experiment.eval.values()), default=0)
    if max(lanes, games) >= _MANY_GAMES:
        key = jax.eval_shape(lambda: jax.random.key(0, impl=IMPLEMENTATION))
        game = tree_bytes(jax.eval_shape(context.env.init, key))
        yield held + lanes * game, "the state and the games that are played side by side"
        yield held + games * game, "the state and the games of an evaluation"
    shapes = jax.tree.leaves(context.env.observation_shape, is_leaf=lambda x: isinstance(x, tuple))
    row = _ROW_BYTES + _ROW_ELEMENT * sum(math.prod(shape) for shape in shapes)
    if held + lanes * collect.num_steps * row > _WORTH_TRACING * free.bytes:
        yield held + _largest_phase(graph, context, state), "the state and an iteration's rows"


def _largest_phase(graph: PhaseGraph, context: Context, state: State) -> int:
    """Return the bytes that the largest phase writes: they exist at one time.

    Programs that were measured take 1.3 to 20 times as much in all.
    """
    return max(
        tree_bytes(written)
        for regime in graph.regimes()
        for written in written_shapes(regime, context, state)
    )


def tree_bytes(tree: Any) -> int:
    """Return the bytes of all arrays, or shapes of arrays, in a tree."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _of_machine(meminfo: Path = Path("/proc/meminfo")) -> Iterator[Free]:
    found = dict(_numbers(meminfo, scale=1024))
    if "MemAvailable:" in found:
        yield Free(found["MemAvailable:"] + found.get("SwapFree:", 0), "this machine")


def _of_control_groups(
    own: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> Iterator[Free]:
    """Yield what the limits of this process's control groups leave, of both versions."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory") and "memory" not in controllers.split(","):
            continue
        base = root / "memory" if controllers else root
        limit, used = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes")
            if controllers
            else ("memory.max", "memory.current")
        )
        folder = base / path.strip("/")
        # In a container the path is the host's, and the group is mounted at the root.
        for each in (folder, *folder.parents):
            if not each.is_relative_to(base):
                break
            most, now = _number(each / limit), _number(each / used)
            if most is not None and now is not None:
                # The kernel takes files' pages back before it refuses memory.
                stat = dict(_numbers(each / "memory.stat"))
                files = stat.get("inactive_file", 0) + stat.get("active_file", 0)
                yield Free(max(0, most - now + files), "this process's control group")


def _of_limits() -> Iterator[Free]:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return
    used = dict(_numbers(Path("/proc/self/status"), scale=1024)).get("VmSize:", 0)
    yield Free(max(0, limit - used), "this process, by `ulimit -v`,")


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no such limit, or "max"
        return None


def _numbers(file: Path, *, scale: int = 1) -> Iterator[tuple[str, int]]:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        name, number, *_ = (*line.split(), "", "")
        if number.isdecimal():
            yield name, int(number) * scale
