"""Advance the run's key, and give each collector its key for this iteration."""

from collections.abc import Iterator

import jax

from jaxpot.loop.context import Context, PhaseFunction, Values
from jaxpot.loop.phase import Field, Phase
from jaxpot.loop.streams import IMPLEMENTATION, CollectorKeys, advance_chain
from jaxpot.spec import Experiment


def fields(experiment: Experiment) -> Iterator[Field]:
    yield Field(name="key", init=init_key, doc="The chain's key, as two uint32.")


def phases(experiment: Experiment) -> Iterator[Phase]:
    yield Phase(
        name="advance_keys",
        reads=("key", "iteration"),
        writes=("key", *(f"key.{name}" for name in CollectorKeys._fields)),
        implementation=build,
        doc="Folds the iteration into the run's key and splits it five ways.",
    )


def init_key(context: Context, values: Values, root_key: jax.Array) -> jax.Array:
    """Start the chain at the root key: `[2]` uint32."""
    return jax.random.key_data(root_key)


def build(context: Context, phase: Phase) -> PhaseFunction:
    def run(values: Values):
        key = jax.random.wrap_key_data(values["key"], impl=IMPLEMENTATION)
        following, collectors = advance_chain(key, values["iteration"])
        writes = {f"key.{name}": each for name, each in collectors._asdict().items()}
        return writes | {"key": jax.random.key_data(following)}, {}

    return run
