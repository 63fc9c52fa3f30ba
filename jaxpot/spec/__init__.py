"""The typed spec: one TOML file in, one frozen `Experiment` out, or every fault at once."""

from jaxpot.spec.configs.algorithms import PPO, AlgorithmConfig
from jaxpot.spec.configs.alphazero import AlphaZero, Search
from jaxpot.spec.configs.auxiliary import AuxiliaryConfig, GameProgress, OpponentHand
from jaxpot.spec.configs.collect import (
    ArchiveCollector,
    Collect,
    LeagueCollector,
    RandomCollector,
    SelfplayCollector,
)
from jaxpot.spec.configs.envs import EnvConfig, PgxEnv
from jaxpot.spec.configs.evaluators import (
    ArchiveEvaluator,
    CheckpointEvaluator,
    Evaluator,
    GameTreeEvaluator,
    RandomEvaluator,
)
from jaxpot.spec.configs.experiment import Expect, Experiment
from jaxpot.spec.configs.league import AddSchedule, League, Target
from jaxpot.spec.configs.models import (
    MLP,
    AZNet,
    Conv,
    Memory,
    ModelConfig,
    ResidualMLP,
    ResNet,
    Transformer,
)
from jaxpot.spec.configs.optimizers import (
    SGD,
    Adam,
    AdamW,
    Constant,
    Cosine,
    Linear,
    OptimizerConfig,
    Schedule,
)
from jaxpot.spec.configs.parts import ImportedEvaluator, ImportedPart
from jaxpot.spec.configs.runtime import Best, Checkpoint, Debug, Runtime
from jaxpot.spec.configs.sinks import JsonLines, SinkConfig, TensorBoard, WandB
from jaxpot.spec.faults import CODES, Fault, Origin, SpecError, describe_code
from jaxpot.spec.payload import PayloadKey, payload_keys
from jaxpot.spec.registry import implementation, missing_extras
from jaxpot.spec.resolve import (
    SPEC_VERSION,
    diff,
    from_resolved,
    resolved,
    spec_digest,
    to_json,
    to_toml,
    training_digest,
)
from jaxpot.spec.rules.metrics import best_cadence
from jaxpot.spec.rules.validate import validate
from jaxpot.spec.schema import json_schema
from jaxpot.spec.source.load import Loaded, load

__all__ = [
    "CODES",
    "MLP",
    "PPO",
    "SGD",
    "SPEC_VERSION",
    "AZNet",
    "Adam",
    "AdamW",
    "AddSchedule",
    "AlgorithmConfig",
    "AlphaZero",
    "ArchiveCollector",
    "ArchiveEvaluator",
    "AuxiliaryConfig",
    "Best",
    "Checkpoint",
    "CheckpointEvaluator",
    "Collect",
    "Constant",
    "Conv",
    "Cosine",
    "Debug",
    "EnvConfig",
    "Evaluator",
    "Expect",
    "Experiment",
    "Fault",
    "GameProgress",
    "GameTreeEvaluator",
    "ImportedEvaluator",
    "ImportedPart",
    "JsonLines",
    "League",
    "LeagueCollector",
    "Linear",
    "Loaded",
    "Memory",
    "ModelConfig",
    "OpponentHand",
    "OptimizerConfig",
    "Origin",
    "PayloadKey",
    "PgxEnv",
    "RandomCollector",
    "RandomEvaluator",
    "ResNet",
    "ResidualMLP",
    "Runtime",
    "Schedule",
    "Search",
    "SelfplayCollector",
    "SinkConfig",
    "SpecError",
    "Target",
    "TensorBoard",
    "Transformer",
    "WandB",
    "best_cadence",
    "describe_code",
    "diff",
    "from_resolved",
    "implementation",
    "json_schema",
    "load",
    "missing_extras",
    "payload_keys",
    "resolved",
    "spec_digest",
    "to_json",
    "to_toml",
    "training_digest",
    "validate",
]
