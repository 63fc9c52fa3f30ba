"""Convolution gradients in a loop on CPU, over plain ones outside; the goal is 1.1.

    python benchmarks/convolution.py [--filters 64] [--batch 512] [--repeats 7]

A turn is a forward pass and both gradients of one 3x3 convolution, `--steps` times: for the plain
convolution outside a loop one dispatch each, inside a loop one `lax.fori_loop`. The plain one is
timed in its usual layout, batch first and channels last; ours in its own. See docs/performance.md.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from interleave import CPU_HEADER, interleave, machine, print_table, ratio_rows
from jax import Array, lax

from jaxpot.models.cpu import convolution

GOAL = 1.1
TILE = 64
# The plain gradients in a loop take about as long as everything else in a turn together.
SLOW_STEPS = 1

Step = Callable[[Array, Array], tuple[Array, Array]]


def plain(x: Array, kernel: Array) -> Array:
    """Is XLA's convolution: `[B, H, W, C]`."""
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def in_tiles(x: Array, kernel: Array) -> Array:
    """Is ours as the ResNet calls it, on tiles of the batch: `[T, C, H, W, B / T]`."""
    return lax.map(lambda tile: convolution(tile, kernel), x)


def gradients(function: Callable[[Array, Array], Array]) -> Step:
    """Returns a step that pulls a convolution's own output back to both operands."""

    def step(x: Array, kernel: Array) -> tuple[Array, Array]:
        y, pullback = jax.vjp(function, x, kernel)
        x_gradient, kernel_gradient = pullback(y)
        # Scaled so that numbers neither vanish nor overflow over the steps.
        return 1e-3 * x_gradient, kernel - 1e-9 * kernel_gradient

    return step


def outside(step: Step, steps: int) -> Callable[..., Any]:
    """Returns a turn that dispatches each step."""
    jitted = jax.jit(step)

    def turn(x: Array, kernel: Array) -> Any:
        for _ in range(steps):
            x, kernel = jitted(x, kernel)
        return x, kernel

    return turn


def inside(step: Step, steps: int) -> Callable[..., Any]:
    """Returns a turn that is one program, its steps in a loop."""
    return jax.jit(
        lambda x, kernel: lax.fori_loop(0, steps, lambda _, args: step(*args), (x, kernel))
    )


def timed(
    turn: Callable[..., Any], args: tuple[Array, Array], steps: int, cpu: list[float]
) -> Callable[[], float]:
    """Returns an arm: seconds a step; CPU seconds go to `cpu`."""
    jax.block_until_ready(turn(*args))

    def arm() -> float:
        wall, processor = time.perf_counter(), time.process_time()
        jax.block_until_ready(turn(*args))
        cpu.append((time.process_time() - processor) / steps)
        return (time.perf_counter() - wall) / steps

    return arm


def measure(*, board: tuple[int, int], filters: int, batch: int, steps: int, repeats: int) -> None:
    """Measures one shape and prints its table."""
    x_key, kernel_key = jax.random.split(jax.random.key(0))
    rows = jax.random.normal(x_key, (batch, *board, filters))
    kernel = 0.05 * jax.random.normal(kernel_key, (3, 3, filters, filters))
    tiles = max(1, batch // TILE)
    columns = rows[: tiles * (batch // tiles)].transpose(3, 1, 2, 0)
    tiled = jnp.moveaxis(columns.reshape(filters, *board, tiles, -1), 3, 0)
    arms = {
        "plain, outside a loop": (outside(gradients(plain), steps), rows, steps),
        "plain, inside": (inside(gradients(plain), SLOW_STEPS), rows, SLOW_STEPS),
        "ours, inside": (inside(gradients(convolution), steps), columns, steps),
        "ours, inside, tiled": (inside(gradients(in_tiles), steps), tiled, steps),
    }
    cpu: dict[str, list[float]] = {name: [] for name in arms}
    ready = {
        name: timed(turn, (x, kernel), count, cpu[name]) for name, (turn, x, count) in arms.items()
    }
    for each in cpu.values():
        each.clear()
    costs = interleave(ready, repeats=repeats)
    height, width = board
    title = (
        f"3x3 on {height}x{width}, {filters} filters, batch {batch}: "
        f"{repeats} turns of {steps} steps, {machine()} (goal {GOAL})"
    )
    print_table(title, CPU_HEADER, ratio_rows(costs, "plain, outside a loop", cpu=cpu))


def main() -> None:
    """Measures the shape that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--board", type=int, nargs=2, default=(6, 7), metavar=("H", "W"))
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    measure(
        board=tuple(options.board),
        filters=options.filters,
        batch=options.batch,
        steps=options.steps,
        repeats=options.repeats,
    )


if __name__ == "__main__":
    main()
