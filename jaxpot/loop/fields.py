"""The parts of the training state that live from iteration to iteration."""

from jaxpot.loop.phase import Field, carried_field
from jaxpot.spec import Experiment
from jaxpot.spec.registry import replay_iterations
from jaxpot.spec.windows import windows_of

_FIELDS = "jaxpot.loop.state:"


def state_fields(experiment: Experiment) -> tuple[Field, ...]:
    """Returns the fields of an experiment's training state, in their order."""
    fields = [
        Field(name="params", init=_FIELDS + "init_network", doc="The network's parameters."),
        Field(
            name="model_state",
            init=_FIELDS + "init_model_state",
            doc="The network's variables that are not trained.",
        ),
        Field(
            name="opt_state",
            init=_FIELDS + "init_opt_state",
            doc="The optimizer's state, a partial accumulation included.",
        ),
        Field(name="key", init=_FIELDS + "init_key", doc="The chain's key, as two uint32."),
        Field(name="iteration", init=_FIELDS + "init_iteration", doc="Iterations done."),
        Field(
            name="nonfinite",
            init=_FIELDS + "init_nonfinite",
            digested=False,
            guarded=False,
            doc="Whether an update was non-finite; once set it stays.",
        ),
    ]
    if experiment.target is not None:
        fields.append(
            Field(
                name="target",
                init=_FIELDS + "init_target",
                doc="The target: a slow copy of parameters and untrained variables.",
            )
        )
    if experiment.league is not None:
        fields += [
            Field(
                name="league",
                init=_FIELDS + "init_league",
                doc="Its entries by slot: place, activity, score, games, age, digest.",
            ),
            Field(
                name="pool",
                init=_FIELDS + "init_pool",
                digested=False,  # by its entries' digests, which `league` holds
                guarded=False,  # no phase of an iteration writes it
                doc="The entries' parameters and untrained variables, stacked by slot.",
            ),
        ]
    if experiment.collect.start == "carried":
        fields += [
            Field(
                name=carried_field(name),
                init=f"jaxpot.loop.collectors:init_{name}_lanes",
                finite=False,  # a game may use infinities as it likes
                doc="The collector's games, which go on in the next iteration.",
            )
            for name in windows_of(experiment)
        ]
    if replay_iterations(experiment.algorithm) > 1:
        fields.append(
            Field(
                name="replay",
                init="jaxpot.loop.batch:init_replay",
                doc="The rows of the last iterations.",
            )
        )
    return tuple(fields)
