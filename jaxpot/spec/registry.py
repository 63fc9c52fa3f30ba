"""The kinds of parts: one registry a union, one row a kind.

A row is all that a new kind needs: its config class and its payload keys, both free of jax, and
its implementation as a string that is imported only when the experiment is lowered.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

import attrs

from jaxpot.errors import UserError
from jaxpot.spec.configs.algorithms import PPO, ppo_keys
from jaxpot.spec.configs.alphazero import AlphaZero, alphazero_keys, replayed
from jaxpot.spec.configs.auxiliary import GameProgress, OpponentHand
from jaxpot.spec.configs.envs import PgxEnv
from jaxpot.spec.configs.evaluators import (
    ArchiveEvaluator,
    CheckpointEvaluator,
    GameTreeEvaluator,
    RandomEvaluator,
    checkpoint_keys,
    game_tree_keys,
    rate_keys,
)
from jaxpot.spec.configs.experiment import Experiment
from jaxpot.spec.configs.models import (
    FORMER_KINDS,
    MLP,
    AZNet,
    Conv,
    ResidualMLP,
    ResNet,
    Transformer,
    model_streams,
)
from jaxpot.spec.configs.optimizers import SGD, Adam, AdamW, Constant, Cosine, Linear
from jaxpot.spec.configs.parts import ImportedEvaluator, ImportedPart, ImportedPhase
from jaxpot.spec.configs.sinks import JsonLines, TensorBoard, WandB
from jaxpot.spec.faults import Fault
from jaxpot.spec.keys import PayloadKey


def _no_keys(config: Any, prefix: str) -> tuple[PayloadKey, ...]:
    del config, prefix
    return ()


def _newest_only(config: Any) -> int:
    del config
    return 1


def _no_streams(config: Any) -> tuple[str, ...]:
    del config
    return ()


def _search_stream(config: Any) -> tuple[str, ...]:
    del config
    return ("search",)


@attrs.frozen
class Package:
    """What has to be installed beside jaxpot: a module, and the extra that brings it."""

    module: str
    extra: str


@attrs.frozen
class Row:
    """One kind of part.

    Attributes:
      config: the spec class, whose `kind` is the tag in TOML.
      implementation: `module:function`, whose function takes the config first.
      keys: the payload keys that a config's part emits under a prefix.
      programs: what a part compiles beside the program that it is in, by name.
      needs: what its implementation asks for beside what every such part is given, by keyword:
        "experiment", the whole of it, "league", the config of that name, "runs_dir", the folder of
        all runs, or "recorded", the `source` that the run's first attempt recorded of the part.
      reads: fields of the state that an evaluator is given beside the network, by keyword.
      writes: fields that its output gives back.
      requires: the package without which it cannot work; None for none.
      streams: the random streams that a config's part draws from beside those of every such part.
      replay: how many iterations' rows an algorithm of this config learns from.
    """

    config: type[Any]
    implementation: str
    keys: Callable[[Any, str], tuple[PayloadKey, ...]] = _no_keys
    programs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    requires: Package | None = None
    streams: Callable[[Any], tuple[str, ...]] = _no_streams
    replay: Callable[[Any], int] = _newest_only

    @property
    def kind(self) -> str:
        """The tag that selects this kind."""
        return self.config.kind


@attrs.frozen
class Registry:
    """The kinds of one union.

    Attributes:
      name: what such a part is called.
      rows: its kinds.
      imported: class that holds a user's own part; None where there can be none.
      host: whether its parts never enter the program, so that their floats are float64.
      named: whether the name of a part's table is its kind where the table itself says none.
      former: kinds that are gone, each with what to write instead.
    """

    name: str
    rows: tuple[Row, ...]
    imported: type[ImportedPart] | None = None
    named: bool = False
    former: Mapping[str, str] = MappingProxyType({})
    host: bool = False

    @property
    def by_kind(self) -> Mapping[str, Row]:
        """The rows by their tags."""
        return {row.kind: row for row in self.rows}

    @property
    def classes(self) -> frozenset[type[Any]]:
        """Every class that the union has."""
        imported = () if self.imported is None else (self.imported,)
        return frozenset({*(row.config for row in self.rows), *imported})


MODELS = Registry(
    "model",
    (
        Row(MLP, "jaxpot.models.mlp:build_mlp", streams=model_streams),
        Row(ResidualMLP, "jaxpot.models.mlp:build_residual_mlp", streams=model_streams),
        Row(Conv, "jaxpot.models.conv:build_conv", streams=model_streams),
        Row(ResNet, "jaxpot.models.conv:build_resnet", streams=model_streams),
        Row(AZNet, "jaxpot.models.az_net:build", streams=model_streams),
        Row(Transformer, "jaxpot.models.transformer:build", streams=model_streams),
    ),
    imported=ImportedPart,
    former=FORMER_KINDS,
)

REGISTRIES = (
    Registry(
        "environment",
        (Row(PgxEnv, "jaxpot.games.pgx_env:build"),),
        imported=ImportedPart,
    ),
    MODELS,
    Registry(
        "algorithm",
        (
            Row(PPO, "jaxpot.algorithms.ppo:build", ppo_keys),
            Row(
                AlphaZero,
                "jaxpot.algorithms.alphazero:build",
                alphazero_keys,
                streams=_search_stream,
                replay=replayed,
            ),
        ),
        imported=ImportedPart,
    ),
    Registry(
        "auxiliary loss",
        (
            Row(GameProgress, "jaxpot.algorithms.auxiliary_losses:build_game_progress"),
            Row(OpponentHand, "jaxpot.algorithms.auxiliary_losses:build_opponent_hand"),
        ),
        imported=ImportedPart,
        named=True,
    ),
    Registry(
        "optimizer",
        (
            Row(AdamW, "jaxpot.algorithms.optimizers:build_adamw"),
            Row(Adam, "jaxpot.algorithms.optimizers:build_adam"),
            Row(SGD, "jaxpot.algorithms.optimizers:build_sgd"),
        ),
    ),
    Registry(
        "schedule",
        (
            Row(Constant, "jaxpot.algorithms.optimizers:constant"),
            Row(Linear, "jaxpot.algorithms.optimizers:linear"),
            Row(Cosine, "jaxpot.algorithms.optimizers:cosine"),
        ),
    ),
    Registry(
        "evaluator",
        (
            Row(RandomEvaluator, "jaxpot.evaluators.random_opponent:build", rate_keys),
            Row(
                GameTreeEvaluator,
                "jaxpot.evaluators.game_tree:build",
                game_tree_keys,
                programs=("game_tree_deal", "game_tree_step"),
            ),
            Row(
                ArchiveEvaluator,
                "jaxpot.evaluators.archive:build",
                rate_keys,
                needs=("league",),
                reads=("pool", "league"),
                writes=("league",),
            ),
            Row(
                CheckpointEvaluator,
                "jaxpot.evaluators.checkpoint_opponent:build",
                checkpoint_keys,
                needs=("experiment", "runs_dir", "recorded"),
            ),
        ),
        imported=ImportedEvaluator,
    ),
    Registry(
        "sink",
        (
            Row(
                TensorBoard,
                "jaxpot.trackers.tensorboard:build",
                requires=Package("tensorboardX", "tensorboard"),
            ),
            Row(WandB, "jaxpot.trackers.wandb:build", requires=Package("wandb", "wandb")),
            Row(JsonLines, "jaxpot.trackers.jsonl:build"),
        ),
        imported=ImportedPart,
        named=True,
        host=True,
    ),
    Registry("phase", (), imported=ImportedPhase),
)


def registry_of(classes: frozenset[type[Any]]) -> Registry | None:
    """Return the registry whose union has exactly `classes`, or None."""
    return next((registry for registry in REGISTRIES if registry.classes == classes), None)


def part_keys(config: Any, prefix: str) -> tuple[PayloadKey, ...] | None:
    """Return the payload keys that a part emits under `prefix`.

    None where they cannot be known: a user's own part whose class was not imported.
    """
    if isinstance(config, ImportedPart):
        if config.config is None:
            return None
        declare = getattr(config.config, "payload_keys", None)
        return () if declare is None else tuple(declare(prefix))
    return _row(config).keys(config, prefix)


def part_streams(config: Any) -> tuple[str, ...]:
    """Return the random streams that a part draws from beside those of every such part.

    A user's own class says so by an attribute or a property `streams`; one that was not imported
    says nothing.
    """
    if isinstance(config, ImportedPart):
        return tuple(getattr(config.config, "streams", ()))
    return _row(config).streams(config)


def replay_iterations(config: Any) -> int:
    """Return how many iterations' rows an algorithm learns from, the newest included.

    A user's own class says so by a field or an attribute of this name; 1 without it.
    """
    if isinstance(config, ImportedPart):
        return getattr(config.config, "replay_iterations", 1)
    return _row(config).replay(config)


def part_row(config: Any) -> Row | None:
    """Return the row of a part's kind; a user's own part has none."""
    return None if isinstance(config, ImportedPart) else _row(config)


def implementation(config: Any) -> Callable[..., Any]:
    """Import what builds a part; call it with the config first, then what the part asks for.

    A user's own part is built by its class's `build`, called without the config.

    Raises:
      UserError: the user's class was not imported when the spec was loaded.
    """
    if isinstance(config, ImportedPart):
        if config.config is None:
            raise UserError(f"{config.kind} was not imported; load with import_user_code=True")
        return _build_imported
    module, _, name = _row(config).implementation.partition(":")
    return getattr(importlib.import_module(module), name)


def _build_imported(part: ImportedPart, *positional: Any, **options: Any) -> Any:
    return part.config.build(*positional, **options)


def _row(config: Any) -> Row:
    rows = (row for registry in REGISTRIES for row in registry.rows)
    return next(row for row in rows if row.config is type(config))


def missing_extras(experiment: Experiment) -> list[Fault]:
    """Return a fault for each part whose package is not installed here.

    A spec with such a fault is a right one elsewhere: so this is no rule of the spec, but one of
    the commands that say whether it can be run here.
    """
    return list(_missing(experiment))


def _missing(experiment: Experiment) -> Iterator[Fault]:
    for name, sink in experiment.sinks.items():
        row = part_row(sink)
        if row is None or row.requires is None or find_spec(row.requires.module) is not None:
            continue
        message = f"a sink of kind {row.kind} needs {row.requires.module}, which is not installed"
        way_out = f"`pip install 'jaxpot[{row.requires.extra}]'`, or another sink"
        yield Fault("missing-extra", ("sinks", name), message, way_out)
