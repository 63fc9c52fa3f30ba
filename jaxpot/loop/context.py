"""Build the parts of an experiment: the `Context` that every phase's builder is given."""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs
from jax import Array

from jaxpot.algorithms.auxiliary import AuxiliaryLoss, build_losses, build_network
from jaxpot.algorithms.base import Algorithm
from jaxpot.errors import UserError
from jaxpot.evaluators.players import Evaluator, OpponentError
from jaxpot.games.base import Environment
from jaxpot.loop.phase import Implementation
from jaxpot.models.base import Network, Variables
from jaxpot.spec import Experiment, Fault, League, SpecError
from jaxpot.spec.configs.models import is_recurrent
from jaxpot.spec.payload import evaluator_prefix
from jaxpot.spec.registry import implementation, part_row

NETWORK = ("params", "model_state")
"""The state's fields that make the network: what the target follows and the league freezes."""

Values = Mapping[str, Any]
PhaseFunction = Callable[[Values], tuple[dict[str, Any], dict[str, Array]]]
"""A phase: from the values that it reads to those that it writes, and its metrics."""


def network_variables(values: Values) -> Variables:
    """Return the agent's variables, which are two fields of the state."""
    return Variables(values["params"], values["model_state"])


@attrs.frozen(kw_only=True, eq=False)
class Context:
    """The built parts of one experiment."""

    experiment: Experiment
    env: Environment[Any]
    network: Network
    auxiliary: Mapping[str, AuxiliaryLoss]
    algorithm: Algorithm
    evaluators: dict[str, Evaluator]

    def constants(self, evaluator: str) -> Mapping[str, Any]:
        return getattr(self.evaluators[evaluator], "constants", {})


def build_context(
    experiment: Experiment,
    runs_dir: Path,
    opponents: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Context:
    """Build every part that `experiment` names.

    Args:
        experiment: The experiment.
        runs_dir: Folder of all runs, in which an evaluator may find its opponent.
        opponents: The opponents that a run has played so far, by the evaluators' prefixes. The run
            goes on against these, even if the spec's selectors name other checkpoints by now.

    Raises:
        SpecError: Opponents that the spec names are missing or do not fit.
        UserError: A part refuses its config, or parts do not fit one another.
    """
    env = implementation(experiment.env)(experiment.env)
    auxiliary = build_losses(experiment.auxiliary, env=env)
    network = build_network(experiment.model, env=env, auxiliary=auxiliary)
    algorithm = implementation(experiment.algorithm)(
        experiment.algorithm,
        env=env,
        network=network,
        optimizer=experiment.optimizer,
        auxiliary=auxiliary,
    )
    _check_memory(experiment, network, algorithm)
    offered: dict[str, Any] = {
        "experiment": experiment,
        "league": experiment.league,
        "runs_dir": runs_dir,
    }
    evaluators: dict[str, Evaluator] = {}
    faults: list[Fault] = []
    for name, config in experiment.eval.items():
        row = part_row(config)
        prefix = evaluator_prefix(name)
        offered["recorded"] = opponents.get(prefix)
        more = {each: offered[each] for each in (row.needs if row else ())}
        build = implementation(config)
        try:
            evaluators[prefix] = build(config, name=prefix, env=env, network=network, **more)
        except OpponentError as error:
            path = ("eval", name, error.key)
            faults.append(Fault(error.code, path, str(error), error.allowed))
    if faults:
        raise SpecError(faults)
    return Context(
        experiment=experiment,
        env=env,
        network=network,
        auxiliary=auxiliary,
        algorithm=algorithm,
        evaluators=evaluators,
    )


def _check_memory(experiment: Experiment, network: Network, algorithm: Algorithm) -> None:
    """Check what the spec's rules cannot know about a user's parts."""
    if is_recurrent(experiment.model) is not network.recurrent:
        has = "has a memory" if network.recurrent else "has no memory"
        raise UserError(
            f"model {experiment.model.kind}: its network {has}, and its class does not say so; "
            f"give it the attribute recurrent = {network.recurrent}"
        )
    steps, seq_len = experiment.collect.num_steps, algorithm.seq_len
    if network.recurrent and seq_len is not None and steps % seq_len:
        raise UserError(
            f"algorithm {experiment.algorithm.kind}: its sequences of {seq_len} steps do not "
            f"divide collect.num_steps = {steps}"
        )


def parts_of(experiment: Experiment) -> tuple[Any, ...]:
    """Return the configs of all parts that a user can supply."""
    parts = (experiment.env, experiment.model, experiment.algorithm)
    named = (experiment.auxiliary, experiment.eval, experiment.phases)
    return (*parts, *(part for table in named for part in table.values()))


def resolve(what: Implementation) -> Any:
    """Return an implementation, imported if it is given as `"module:function"`."""
    if not isinstance(what, str):
        return what
    module, _, name = what.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"cannot import {what!r}: {error}") from error


def league_of(context: Context) -> League:
    """Return the experiment's league.

    Raises:
        UserError: The graph has phases or fields of a league, and the experiment has none.
    """
    league = context.experiment.league
    if league is None:
        raise UserError("the graph has a league that the experiment does not configure")
    return league
