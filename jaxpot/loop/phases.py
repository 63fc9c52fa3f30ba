"""The device phases of an iteration, each a builder that gives a pure function.

A phase's function is handed the values that the graph says it reads, and gives back those that it
writes and the metrics that it declares.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxpot.errors import UserError
from jaxpot.league import ARCHIVE, Table, freeze
from jaxpot.loop import Phase
from jaxpot.loop.batch import kept_rows
from jaxpot.loop.context import Context, PhaseFunction, Values
from jaxpot.loop.digest import combine, leaf_digests
from jaxpot.loop.phase import stream_value
from jaxpot.loop.state import NETWORK, league_of
from jaxpot.loop.streams import IMPLEMENTATION, advance_chain


def advance_keys(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase that advances the chain and hands each collector its key."""
    del context, phase

    def run(values: Values):
        key = jax.random.wrap_key_data(values["key"], impl=IMPLEMENTATION)
        following, collectors = advance_chain(key, values["iteration"])
        writes = {f"key.{name}": each for name, each in collectors._asdict().items()}
        return writes | {"key": jax.random.key_data(following)}, {}

    return run


def league_sizes(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase that counts the entries which this iteration finds."""
    del context, phase

    def run(values: Values):
        table: Table = values["league"]
        counted = {
            "league_size": table.in_league,
            "league_archive_size": table.place == ARCHIVE,
            "active_archive_size": table.recalled,
        }
        return {}, {f"iteration/{n}": x.sum(dtype=jnp.int32) for n, x in counted.items()}

    return run


def training(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase that learns from the batch, or from all that is kept of the last ones."""

    def run(values: Values):
        batch = kept_rows(values["replay"]) if "replay" in phase.reads else values["batch"]
        learned = context.algorithm.update(
            values["params"],
            values["model_state"],
            values["opt_state"],
            batch,
            keys={name: values[stream_value(name)] for name in phase.streams},
            iteration=values["iteration"],
        )
        writes = {
            "params": learned.params,
            "model_state": learned.model_state,
            "opt_state": learned.opt_state,
            "finite": _all_finite(learned.metrics),
        }
        return writes, learned.metrics

    return run


def target_update(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase that moves the target: `tau * live + (1 - tau) * target`."""
    del phase
    config = context.experiment.target
    if config is None:
        raise UserError("the graph has a target that the experiment does not configure")
    every, tau = config.every, config.tau

    def move(live: Array, slow: Array) -> Array:
        if not jnp.issubdtype(live.dtype, jnp.floating):
            return live  # a count, say, of which there is no average
        return (tau * live + (1 - tau) * slow).astype(slow.dtype)

    def run(values: Values):
        due = (values["iteration"] + 1) % every == 0
        live = {name: values[name] for name in NETWORK}
        target = jax.tree.map(
            lambda x, slow: jnp.where(due, move(x, slow), slow), live, values["target"]
        )
        return {"target": target}, {}

    return run


def league_freeze(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase that adds a copy of the agent to the league."""
    del phase
    league = league_of(context)

    def run(values: Values):
        network = {name: values[name] for name in NETWORK}
        paths, leaves = leaf_digests(network)
        pool, table, frozen = freeze(
            values["pool"],
            values["league"],
            network,
            combine(leaves, paths),
            frozen_at=values["iteration"],
            size=league.size,
            archive_size=league.archive_size,
        )
        return {"pool": pool, "league": table, "frozen": frozen}, {}

    return run


def advance_iteration(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase that counts the iteration as done."""
    del context, phase

    def run(values: Values):
        return {"iteration": values["iteration"] + 1}, {}

    return run


def guard(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase that undoes a non-finite update, and every one after it."""
    del context
    guarded = tuple(name for name in phase.writes if name != "nonfinite")
    checked = tuple(name for name in guarded if name not in phase.unchecked)

    def run(values: Values):
        new = {name: values[name] for name in guarded}
        old = {name: values[f"previous.{name}"] for name in guarded}
        finite = values["finite"] & _all_finite([new[name] for name in checked])
        nonfinite = values["nonfinite"] | ~finite
        kept = jax.tree.map(lambda before, after: jnp.where(nonfinite, before, after), old, new)
        return {**kept, "nonfinite": nonfinite}, {}

    return run


def digest(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase that fingerprints the state."""
    del context

    def run(values: Values):
        paths, leaves = leaf_digests({name: values[name] for name in phase.reads})
        return {"digest": combine(leaves, paths), "leaf_digests": leaves}, {}

    return run


def evaluation(context: Context, phase: Phase) -> PhaseFunction:
    """Builds the phase that runs one evaluator; its histograms are written, not logged."""
    evaluator = context.evaluators[phase.name]
    key = stream_value(*phase.streams)
    fields = tuple(name for name in phase.reads if name not in NETWORK)

    def run(values: Values):
        more = {**values["constants"], **{name: values[name] for name in fields}}
        output = evaluator.run(values["params"], values["model_state"], values[key], **more)
        metrics = {f"{phase.name}/{name}": value for name, value in output.metrics.items()}
        histograms = {f"{phase.name}/{name}": each for name, each in output.histograms.items()}
        return {"histograms": histograms, **output.fields}, metrics

    return run


def _all_finite(tree: Any) -> Array:
    floats = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]
    return jnp.stack([jnp.isfinite(x).all() for x in floats]).all()
