"""Undo a non-finite update, and every update after it."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.loop.context import Context, PhaseFunction, Values
from jaxpot.loop.phase import Field, Phase
from jaxpot.spec import Experiment


def fields(experiment: Experiment) -> Iterator[Field]:
    yield Field(
        name="nonfinite",
        init=init_nonfinite,
        digested=False,
        guarded=False,
        doc="Whether an update was non-finite; once set it stays.",
    )


def phases(experiment: Experiment) -> Iterator[Phase]:
    yield Phase(
        name="guard",
        reads=("finite", "nonfinite"),
        writes=("nonfinite",),
        covers="guarded",
        implementation=build,
        doc="After a non-finite update gives back the state before it, from then on.",
    )


def init_nonfinite(context: Context, values: Values, root_key: Array) -> Array:
    return jnp.bool_(False)


def build(context: Context, phase: Phase) -> PhaseFunction:
    guarded = tuple(name for name in phase.writes if name != "nonfinite")
    checked = tuple(name for name in guarded if name not in phase.unchecked)

    def run(values: Values):
        new = {name: values[name] for name in guarded}
        old = {name: values[f"previous.{name}"] for name in guarded}
        finite = values["finite"] & all_finite([new[name] for name in checked])
        # The host sees the flag some iterations late, so those in between must change nothing.
        nonfinite = values["nonfinite"] | ~finite
        kept = jax.tree.map(lambda before, after: jnp.where(nonfinite, before, after), old, new)
        return {**kept, "nonfinite": nonfinite}, {}

    return run


def all_finite(tree: Any) -> Array:
    """Return whether every float of a pytree is finite: `[]` bool."""
    floats = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]
    return jnp.stack([jnp.isfinite(x).all() for x in floats]).all()
