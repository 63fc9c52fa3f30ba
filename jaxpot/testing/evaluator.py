"""The contract test for an evaluator of your own."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from jaxpot.evaluators.base import Evaluator
from jaxpot.models.base import Network
from jaxpot.testing.contract import require

_NAME = re.compile(r"[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)*")
_METRIC_DTYPES = ("float32", "int32")


def check_evaluator(
    evaluator: Evaluator,
    network: Network,
    *,
    metrics: Collection[str] | None = None,
    seed: int = 0,
    key_reuse: bool = True,
) -> None:
    """Checks that an evaluator keeps to `jaxpot.evaluators.Evaluator`.

    Runs it twice on freshly drawn parameters, jitted, with its constants if it has any.

    Args:
        evaluator: What your config's `build` returned.
        network: The network that it was built with.
        metrics: The names that your config's `payload_keys` declares, without their prefix; not
            compared if not given.
        seed: Draws the parameters and the evaluator's key.
        key_reuse: Whether to use jax's key-reuse checker. It raises a false alarm where a
            `lax.cond` that draws runs under `vmap`, as in backgammon.

    Raises:
        ContractError: With everything that was found.
        jax.errors.KeyReuseError: The evaluator uses a key twice.
    """
    init_key, run_key = jax.random.split(jax.random.key(seed))
    params, model_state = jax.jit(network.init)(init_key)
    with jax.debug_key_reuse(key_reuse):
        run = jax.jit(evaluator.run)
        constants = getattr(evaluator, "constants", {})
        output = jax.device_get(run(params, model_state, run_key, **constants))
        again = jax.device_get(run(params, model_state, jax.random.clone(run_key), **constants))
    require(evaluator, "Evaluator", _faults(output, again, metrics))


def _faults(output: Any, again: Any, declared: Collection[str] | None) -> Iterator[str]:
    yield from _metric_faults(output.metrics)
    yield from _histogram_faults(output.histograms)
    if declared is not None and set(declared) != set(output.metrics):
        yield f"declares the metrics {sorted(declared)} but gives {sorted(output.metrics)}"
    for old, new in zip(jax.tree.leaves(output), jax.tree.leaves(again), strict=True):
        if np.asarray(old).tobytes() != np.asarray(new).tobytes():
            yield "gives other results when it is run again with the same key"
            return


def _metric_faults(metrics: Mapping[str, Any]) -> Iterator[str]:
    for name, value in metrics.items():
        value = np.asarray(value)
        if not _NAME.fullmatch(name):
            yield f"metric {name!r} is not a name such as 'win_rate' or 'p0/win_rate'"
        if value.shape or value.dtype.name not in _METRIC_DTYPES:
            yield (
                f"metric {name!r} is {value.dtype.name}{list(value.shape)}; expected a float32 "
                "or int32 scalar"
            )


def _histogram_faults(histograms: Mapping[str, Any]) -> Iterator[str]:
    for name, counts in histograms.items():
        counts = np.asarray(counts)
        if not _NAME.fullmatch(name):
            yield f"histogram {name!r} is not a name such as 'actions'"
        if counts.ndim != 1 or counts.dtype.kind not in "iu":
            yield (
                f"histogram {name!r} is {counts.dtype.name}{list(counts.shape)}; expected "
                "integer counts [bins]"
            )
