"""The whole experiment, as one immutable value."""

from collections.abc import Mapping
from typing import Literal

import attrs

from jaxpot.spec.configs.algorithms import AlgorithmConfig
from jaxpot.spec.configs.auxiliary import AuxiliaryConfig
from jaxpot.spec.configs.collect import Collect
from jaxpot.spec.configs.envs import EnvConfig
from jaxpot.spec.configs.evaluators import Evaluator
from jaxpot.spec.configs.league import League, Target
from jaxpot.spec.configs.models import ModelConfig
from jaxpot.spec.configs.optimizers import AdamW, OptimizerConfig
from jaxpot.spec.configs.parts import FrozenMap, ImportedPhase
from jaxpot.spec.configs.runtime import Checkpoint, Debug, Runtime
from jaxpot.spec.configs.sinks import SinkConfig
from jaxpot.spec.fields import IDENTIFIER, INT32_MAX, LABEL, option

MAX_SEEDS = 1000


@attrs.frozen(kw_only=True)
class Expect:
    """A bound that a metric must keep, judged when a run, or one of each seed, is complete."""

    metric: str = option(doc="Payload key that is judged.")
    at: Literal["last", "best", "any"] | int = option(
        default="last",
        ge=0,
        le=INT32_MAX,
        doc="Which value is judged: the last iteration's, the run's best one (the highest under "
        "`min`, the lowest under `max`), whether any keeps the bounds, or that of an iteration "
        "given as a number.",
    )
    min: float | None = option(default=None, host=True, doc="Smallest value that passes.")
    max: float | None = option(default=None, host=True, doc="Largest value that passes.")
    seeds: int = option(
        default=1,
        ge=1,
        le=MAX_SEEDS,
        later=True,
        doc="How many runs that differ in their seed it takes at least; above 1 it is their "
        "`statistic` that is judged, by `jaxpot run --seeds` or `jaxpot expect`.",
    )
    statistic: Literal["mean", "median", "min", "max"] = option(
        default="mean",
        later=True,
        doc="What of the seeds' values is judged: `min` and `max` are the lowest and the highest.",
    )


MAX_ITERATIONS = 1_000_000_000
MAX_SEED = 2**32 - 1


@attrs.frozen(kw_only=True)
class Experiment:
    """What is trained, on which game, how, for how long, and what must come of it."""

    name: str = option(name=LABEL, doc="What runs of this experiment are called.")
    description: str = option(default="", doc="What it is for, in the reader's words.")
    seed: int = option(
        default=0, ge=0, le=MAX_SEED, doc="Root of every random number that the run draws."
    )
    iterations: int = option(ge=1, le=MAX_ITERATIONS, doc="How often it collects, trains and logs.")
    tags: tuple[str, ...] = option(
        default=(), name=LABEL, max_items=100, unique=True, doc="Labels to find its runs by."
    )
    env: EnvConfig = option(doc="The game.")
    model: ModelConfig = option(doc="The network that plays it.")
    algorithm: AlgorithmConfig = option(doc="How the network learns.")
    optimizer: OptimizerConfig = option(
        default=AdamW(), doc="How gradients become updates; AdamW with its defaults if absent."
    )
    collect: Collect = option(doc="Where the training data comes from.")
    league: League | None = option(
        default=None, doc="Frozen copies of the agent to play against; absent is off."
    )
    target: Target | None = option(
        default=None, doc="A slow copy of the network to play against; absent is off."
    )
    eval: Mapping[str, Evaluator] = option(
        default=FrozenMap(),
        converter=FrozenMap,
        keys=IDENTIFIER,
        doc="Evaluators by name; `[eval.x]` emits the keys `eval_x/...`.",
    )
    checkpoint: Checkpoint = option(default=Checkpoint(), doc="What is saved, and when.")
    expect: tuple[Expect, ...] = option(
        default=(), max_items=1000, doc="Learning gates: bounds that the run must keep."
    )
    runtime: Runtime = option(default=Runtime(), doc="How the run uses the machine.")
    sinks: Mapping[str, SinkConfig] = option(
        default=FrozenMap(),
        converter=FrozenMap,
        keys=IDENTIFIER,
        later=True,
        doc="Tools and files that the run's records are sent to, by name; the name is the kind "
        "where a table says none.",
    )
    auxiliary: Mapping[str, AuxiliaryConfig] = option(
        default=FrozenMap(),
        converter=FrozenMap,
        keys=IDENTIFIER,
        later=True,
        doc="What else the network learns to predict, by name; the name is the kind where a table "
        "says none.",
    )
    debug: Debug | None = option(
        default=None, later=True, doc="Samples of what is trained on; absent is off."
    )
    phases: Mapping[str, ImportedPhase] = option(
        default=FrozenMap(),
        converter=FrozenMap,
        keys=IDENTIFIER,
        later=True,
        doc="Phases of your own by name; each runs after or before another phase.",
    )
