"""The parts of an experiment, built once; what every phase's builder is given."""

import importlib
from typing import Any

import attrs

from jaxpot.algorithms.base import Algorithm
from jaxpot.envs.base import Environment
from jaxpot.errors import UserError
from jaxpot.evaluators.base import Evaluator
from jaxpot.graph.phase import Implementation
from jaxpot.models.base import Network
from jaxpot.spec import Experiment
from jaxpot.spec.payload import evaluator_prefix
from jaxpot.spec.registry import implementation


@attrs.frozen(kw_only=True, eq=False)
class Context:
    """The built parts of one experiment."""

    experiment: Experiment
    env: Environment
    network: Network
    algorithm: Algorithm
    evaluators: dict[str, Evaluator]


def build_context(experiment: Experiment) -> Context:
    """Builds every part that `experiment` names.

    Raises:
        UserError: A part refuses its config, or parts do not fit one another.
    """
    env = implementation(experiment.env)(experiment.env)
    network = implementation(experiment.model)(
        experiment.model,
        observation_shape=env.observation_shape,
        num_actions=env.num_actions,
    )
    algorithm = implementation(experiment.algorithm)(
        experiment.algorithm, network=network, optimizer=experiment.optimizer
    )
    evaluators = {
        evaluator_prefix(name): implementation(config)(
            config, name=evaluator_prefix(name), env=env, network=network
        )
        for name, config in experiment.eval.items()
    }
    return Context(
        experiment=experiment, env=env, network=network, algorithm=algorithm, evaluators=evaluators
    )


def parts_of(experiment: Experiment) -> tuple[Any, ...]:
    """Returns the configs of every part that may be a user's own."""
    parts = (experiment.env, experiment.model, experiment.algorithm)
    return (*parts, *experiment.eval.values())


def resolve(what: Implementation) -> Any:
    """Returns an implementation itself, importing `"module:function"` where it is a name."""
    if not isinstance(what, str):
        return what
    module, _, name = what.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"cannot import {what!r}: {error}") from error
