"""The contract test for an evaluator of your own."""

import re
from collections.abc import Collection, Iterator
from typing import Any

import jax
import numpy as np

from jaxpot.evaluators.base import Evaluator
from jaxpot.models.base import Network
from jaxpot.testing.contract import described, equal, metric_faults, require

_NAME = re.compile(r"[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)*")


def check_evaluator(
    evaluator: Evaluator,
    network: Network,
    *,
    metrics: Collection[str] | None = None,
    seed: int = 0,
    key_reuse: bool = True,
) -> None:
    """Check that an evaluator fulfils `jaxpot.evaluators.Evaluator`.

    Runs it twice on freshly drawn parameters, jitted, with its constants if it has any.

    Args:
        evaluator: The result of your config's `build`.
        network: The network that it was built with.
        metrics: The names that your config's `payload_keys` declares, without their prefix; not
            compared if not given.
        seed: The seed of the parameters and of the evaluator's key.
        key_reuse: Use jax's key-reuse checker. It raises a false alarm where a `lax.cond` that
            draws runs under `vmap`, as in backgammon.

    Raises:
        ContractError: Some rules are broken; the error lists all of them.
        jax.errors.KeyReuseError: The evaluator uses a key twice.
    """
    init_key, run_key = jax.random.split(jax.random.key(seed))
    variables = jax.jit(network.init)(init_key)
    with jax.debug_key_reuse(key_reuse):
        run = jax.jit(evaluator.run)
        constants = getattr(evaluator, "constants", {})
        output = jax.device_get(run(variables, run_key, **constants))
        again = jax.device_get(run(variables, jax.random.clone(run_key), **constants))
    require(evaluator, "Evaluator", _faults(output, again, metrics))


def _faults(output: Any, again: Any, declared: Collection[str] | None) -> Iterator[str]:
    for name in output.metrics:
        if not _NAME.fullmatch(name):
            yield f"metric {name!r} is not a name such as 'win_rate' or 'p0/win_rate'"
    yield from metric_faults(jax.tree.map(np.asarray, output.metrics), declared)
    for name, counts in output.histograms.items():
        counts = np.asarray(counts)
        if not _NAME.fullmatch(name):
            yield f"histogram {name!r} is not a name such as 'actions'"
        if counts.ndim != 1 or counts.dtype.kind not in "iu":
            yield f"histogram {name!r} is {described(counts)}; expected integer counts [bins]"
    if not equal(output, again):
        yield "gives other results when it is run again with the same key"
