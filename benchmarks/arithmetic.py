"""FLOP/s of the update, over the machine's own for a large float32 product in the same run.

    python benchmarks/arithmetic.py [SPEC ...] [--matrix 2048] [--repeats 15]

The update is the algorithm's whole one, as a run of the spec has it: shuffle, minibatches, loss,
gradient, clipping, optimizer. The rows are random. Each line below it leaves something out, so that
the differences say what is lost where:

    update    everything
    gradient  forward and backward pass of a minibatch alone, of a loss that costs nothing
    forward   the forward pass alone
    products  the matrix products of `gradient` alone, each on operands that lie ready

FLOPs are counted by formula, the same number for every line but `forward`, which has its own share:
two for each multiplication of a kernel's entry with an input, at every square for a convolution
(taps beyond the board's edge included), three times that for training (forward, gradient of the
inputs, gradient of the kernel), less the gradient of the observation, which is not needed.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import jax
import jax.numpy as jnp
from interleave import interleave, machine, pairwise, print_table
from jax import Array, lax

from jaxpot.algorithms.base import Batch
from jaxpot.models import board
from jaxpot.models.base import Network
from jaxpot.spec import MLP, Experiment, ResNet, load
from jaxpot.spec.pgx_games import GAMES
from jaxpot.spec.registry import implementation

SPECS = ("specs/ttt.toml", "specs/connect_four.toml")
GOAL = 0.5


@attrs.frozen(kw_only=True)
class Layer:
    """One kernel's product in a pass over a row: `[rows, inputs] @ [inputs, outputs]`."""

    rows: int
    inputs: int
    outputs: int
    count: int = 1
    first: bool = False

    @property
    def flops(self) -> int:
        """Of a forward pass of one row of the batch."""
        return 2 * self.rows * self.inputs * self.outputs * self.count

    @property
    def trained_flops(self) -> int:
        """Of a forward and a backward pass of one row of the batch."""
        return self.flops * (2 if self.first else 3)


def layers_of(model: Any, shape: tuple[int, ...], num_actions: int) -> list[Layer]:
    """Lists a network's products; a convolution's taps are part of its inputs or outputs.

    Raises:
        TypeError: There is no formula for the model.
    """
    match model:
        case MLP(hidden_dims=widths):
            ins, outs = (jnp.prod(jnp.array(shape)).item(), *widths), (*widths, num_actions + 1)
            return [
                Layer(rows=1, inputs=i, outputs=o, first=n == 0)
                for n, (i, o) in enumerate(zip(ins, outs, strict=True))
            ]
        case ResNet(num_filters=f, num_blocks=blocks):
            height, width, channels = shape
            squares, features = height * width, board.SQUARE_FILTERS
            return [
                Layer(rows=squares, inputs=9 * channels, outputs=f, first=True),
                Layer(rows=squares, inputs=3 * f, outputs=3 * f, count=2 * blocks),
                Layer(rows=squares, inputs=f, outputs=features),
                Layer(rows=1, inputs=squares * features + 2 * f, outputs=num_actions),
                Layer(rows=1, inputs=2 * f, outputs=board.VALUE_WIDTH),
                Layer(rows=1, inputs=board.VALUE_WIDTH, outputs=1),
            ]
    raise TypeError(f"no formula for the arithmetic of {model}")


def random_batch(experiment: Experiment, network: Network) -> Batch:
    """Makes rows like those of a self-play iteration, every one valid."""
    collect = experiment.collect
    assert collect.selfplay is not None
    rows = collect.num_steps * collect.selfplay.num_envs
    bits, actions, normals = jax.random.split(jax.random.key(0), 3)
    value, advantage, target = jax.random.normal(normals, (3, rows))
    return Batch(
        observation=jax.random.bernoulli(bits, 0.3, (rows, *network.observation_shape)),
        legal_action_mask=jnp.ones((rows, network.num_actions), bool),
        action=jax.random.randint(actions, (rows,), 0, network.num_actions),
        extras={"log_prob": jnp.full(rows, -jnp.log(network.num_actions)), "value": value},
        targets={"advantage": advantage, "target": target},
        valid=jnp.ones(rows, bool),
    )


def repeat(times: int, step: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a jitted loop of a step over the same arguments, which it cannot hoist."""

    @jax.jit
    def loop(*args: Any) -> Any:
        def body(_: Array, carry: Any) -> Any:
            args, _ = carry
            return lax.optimization_barrier((args, step(*args)))

        nothing = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(step, *args))
        return lax.fori_loop(0, times, body, (args, nothing))[1]

    return loop


def products_of(layer: Layer, rows: int) -> tuple[Callable[..., Any], tuple[Array, ...]]:
    """Returns a layer's products for so many rows of the batch, operands columns-first."""
    keys = jax.random.split(jax.random.key(0), 3)
    columns = layer.rows * rows
    kernel = jax.random.normal(keys[0], (layer.inputs, layer.outputs))
    x = jax.random.normal(keys[1], (layer.inputs, columns))
    gradient = jax.random.normal(keys[2], (layer.outputs, columns))

    def products(kernel: Array, x: Array, gradient: Array) -> tuple[Array, ...]:
        forward = lax.dot_general(kernel, x, (((0,), (0,)), ((), ())))
        of_kernel = lax.dot_general(x, gradient, (((1,), (1,)), ((), ())))
        return (forward, of_kernel) if layer.first else (forward, of_kernel, kernel @ gradient)

    return products, (kernel, x, gradient)


Work = tuple[Callable[[], Any], float]
"""Something to do, and the FLOPs that it counts for."""


def work_of(experiment: Experiment) -> dict[str, list[Work]]:
    """Returns, by line of the table, the programs that it sums over."""
    game = GAMES[experiment.env.id]
    layers = layers_of(experiment.model, game.observation_shape, game.num_actions)
    network: Network = implementation(experiment.model)(
        experiment.model, observation_shape=game.observation_shape, num_actions=game.num_actions
    )
    algorithm = implementation(experiment.algorithm)(
        experiment.algorithm, network=network, optimizer=experiment.optimizer
    )
    variables = jax.jit(network.init)(jax.random.key(experiment.seed))
    opt_state = jax.jit(algorithm.init)(variables.params)
    batch = random_batch(experiment, network)
    size, epochs = experiment.algorithm.batch_size, experiment.algorithm.num_epochs
    updates = epochs * -(-batch.valid.size // size)
    trained = float(sum(layer.trained_flops for layer in layers)) * size
    passed = float(sum(layer.flops for layer in layers)) * size

    def loss(variables: Any, observation: Array) -> Array:
        logits, value = network.apply(variables, observation)
        return jnp.square(logits).mean() + jnp.square(value).mean()

    def update(variables: Any, opt_state: Any, batch: Batch, key: Array) -> Any:
        return algorithm.update(variables, opt_state, batch, key=key, iteration=0)

    observation = batch.observation[:size]
    turns = max(1, round(1.2e10 / trained))
    tile = board.tile_rows(game.observation_shape) if isinstance(experiment.model, ResNet) else size
    tiles = -(-size // tile)
    works: dict[str, list[Work]] = {
        "update": [
            (
                partial(jax.jit(update), variables, opt_state, batch, jax.random.key(1)),
                trained * updates,
            )
        ],
        "gradient": [
            (partial(repeat(turns, jax.grad(loss)), variables, observation), trained * turns)
        ],
        "forward": [
            (
                partial(repeat(turns, partial(network.apply, variables)), observation),
                passed * turns,
            )
        ],
        "products": [],
    }
    for layer in layers:
        products, operands = products_of(layer, -(-size // tiles))
        times = turns * tiles * layer.count
        flops = float(layer.trained_flops * size * turns)
        works["products"].append((partial(repeat(times, products), *operands), flops))
    return works


def large_product(size: int) -> Work:
    """Returns the machine's own rate: products of square matrices in a loop."""
    matrix = jax.random.normal(jax.random.key(0), (size, size))
    return partial(repeat(2, jnp.matmul), matrix, matrix), 2 * 2.0 * size**3


def measure(spec: str, *, matrix: int, repeats: int) -> None:
    """Measures one spec and prints its table."""
    lines = {"large product": [large_product(matrix)], **work_of(load(spec).experiment)}
    cpu: dict[str, list[float]] = {name: [] for name in lines}

    def arm(name: str, works: list[Work]) -> Callable[[], float]:
        flops = sum(flops for _, flops in works)

        def turn() -> float:
            wall, processor = time.perf_counter(), time.process_time()
            for work, _ in works:
                jax.block_until_ready(work())
            cpu[name].append((time.process_time() - processor) / flops)
            return (time.perf_counter() - wall) / flops

        return turn

    arms = {name: arm(name, works) for name, works in lines.items()}
    interleave(arms, repeats=1)
    for each in cpu.values():
        each.clear()
    costs = interleave(arms, repeats=repeats)
    rows = []
    for name, works in lines.items():
        low, middle, high = pairwise(costs["large product"], costs[name])
        of_cpu = pairwise(cpu["large product"], cpu[name])[1]
        rows.append(
            (
                name,
                f"{sum(flops for _, flops in works) / 1e9:.2f}",
                f"{middle:.3f}",
                f"{low:.3f}..{high:.3f}",
                f"{of_cpu:.3f}",
            )
        )
    rate = 1e-9 / sorted(costs["large product"])[len(costs["large product"]) // 2]
    title = (
        f"{spec}: rates over that of a large product, {rate:.0f} GFLOP/s (median of {repeats} "
        f"turns), {machine()} (goal {GOAL} for a ResNet)"
    )
    print_table(title, ("line", "GFLOP a turn", "rate", "quartiles", "by CPU time"), rows)


def main() -> None:
    """Measures every spec that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("specs", nargs="*", default=SPECS, metavar="SPEC")
    parser.add_argument("--matrix", type=int, default=2048, help="rows of the large product")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    for spec in options.specs:
        measure(spec, matrix=options.matrix, repeats=options.repeats)


if __name__ == "__main__":
    main()
