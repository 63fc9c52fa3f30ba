"""Run a host phase of the user's own."""

import time

import jax
import numpy as np

from jaxpot.loop.attempt import Attempt, HostFunction, Row
from jaxpot.loop.lower import Given, build_phase, require_same
from jaxpot.loop.phase import Phase, stream_value
from jaxpot.loop.streams import IMPLEMENTATION, stream_key


def run_on_host(attempt: Attempt, phase: Phase) -> HostFunction:
    """Run the phase's implementation on the host, and take over what it returns.

    It is given the fields that it reads as numpy arrays, the keys of its streams, `iteration` (the
    one that has just ended) and, if it asks for it, the `payload` so far. What it writes to a field
    of its own is copied to the device.
    """
    function = build_phase(phase, attempt.context)
    fields = [name for name in phase.reads if name in attempt.state]
    dtypes = {key.name: int if key.dtype == "int" else float for key in phase.keys}
    dtypes.pop(phase.timer or "", None)

    def run(row: Row) -> None:
        given = {name: jax.device_get(attempt.state[name]) for name in fields}
        given["iteration"] = np.int32(row.iteration)
        if "payload" in phase.reads:
            given["payload"] = {"iter": row.iteration, **row.metrics}
        root = jax.random.wrap_key_data(attempt.root_key, impl=IMPLEMENTATION)
        for name in phase.streams:
            given[stream_value(name)] = stream_key(root, name, row.iteration)
        started = time.perf_counter()
        writes, metrics = function(Given(phase, given))
        took = time.perf_counter() - started
        attempt.clock.spent("phases", took)
        require_same(phase, "writes", set(writes), set(phase.writes))
        require_same(phase, "emits", set(metrics), set(dtypes))
        attempt.state = attempt.state | jax.device_put(dict(writes))
        row.metrics |= {name: dtypes[name](value) for name, value in metrics.items()}
        row.seconds += took
        if phase.timer is not None:
            row.timings[phase.timer] = took

    return run
