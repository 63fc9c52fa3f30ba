"""The typed spec: one TOML file in, one frozen `Experiment` out, or every fault at once."""

from jaxpot.spec.algorithms import PPO, AlgorithmConfig
from jaxpot.spec.alphazero import AlphaZero
from jaxpot.spec.auxiliary import AuxiliaryConfig, GameProgress, OpponentHand
from jaxpot.spec.board_models import (
    AZNet,
    Conv,
    ResNet,
    ResNetLSTM,
    Transformer,
    TransformerLSTM,
)
from jaxpot.spec.checkpoint import Best, Checkpoint
from jaxpot.spec.codes import CODES, describe_code
from jaxpot.spec.collect import (
    ArchiveCollector,
    Collect,
    LeagueCollector,
    RandomCollector,
    SelfplayCollector,
)
from jaxpot.spec.debug import Debug
from jaxpot.spec.digest import SPEC_VERSION, spec_digest, training_digest
from jaxpot.spec.envs import EnvConfig, PgxEnv
from jaxpot.spec.evaluators import (
    ArchiveEvaluator,
    CheckpointEvaluator,
    Evaluator,
    GameTreeEvaluator,
    RandomEvaluator,
)
from jaxpot.spec.expect import Expect
from jaxpot.spec.experiment import Experiment
from jaxpot.spec.extras import missing_extras
from jaxpot.spec.faults import Fault, Origin, SpecError
from jaxpot.spec.league import AddSchedule, League, Target
from jaxpot.spec.load import Loaded, load
from jaxpot.spec.metrics import best_cadence
from jaxpot.spec.models import GRU, LSTM, MLP, ModelConfig, ResidualMLP
from jaxpot.spec.optimizers import SGD, Adam, AdamW, OptimizerConfig
from jaxpot.spec.parts import ImportedEvaluator, ImportedPart
from jaxpot.spec.payload import PayloadKey, payload_keys
from jaxpot.spec.registry import implementation
from jaxpot.spec.resolve import diff, from_resolved, resolved, to_json, to_toml
from jaxpot.spec.runtime import Runtime
from jaxpot.spec.schedules import Constant, Cosine, Linear, Schedule
from jaxpot.spec.schema import json_schema
from jaxpot.spec.search import Search
from jaxpot.spec.sinks import JsonLines, SinkConfig, TensorBoard, WandB
from jaxpot.spec.validate import validate

__all__ = [
    "CODES",
    "GRU",
    "LSTM",
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
    "ModelConfig",
    "OpponentHand",
    "OptimizerConfig",
    "Origin",
    "PayloadKey",
    "PgxEnv",
    "RandomCollector",
    "RandomEvaluator",
    "ResNet",
    "ResNetLSTM",
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
    "TransformerLSTM",
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
