"""Games against the network of a checkpoint, and the difference in Elo.

The spec of the opponent's run describes its network, which may differ from the agent's.

Axis letters: A actions.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import jax
from jax import Array

from jaxpot.algorithms.auxiliary import build_losses, build_network
from jaxpot.algorithms.search import require_searchable
from jaxpot.checkpoints import (
    CheckpointError,
    CheckpointInfo,
    DamagedCheckpoint,
    StateMismatch,
    list_checkpoints,
    read_metadata,
    restore_network,
    select_checkpoint,
)
from jaxpot.errors import UserError
from jaxpot.evaluators.play import Games, elo_difference, outcomes, play_games, rates
from jaxpot.evaluators.players import EvaluatorOutput, OpponentError, policy_player
from jaxpot.games.base import Environment
from jaxpot.journal import JOURNAL_NAME, read_header
from jaxpot.models.base import Network, Variables
from jaxpot.spec import (
    CheckpointEvaluator,
    Experiment,
    ImportedPart,
    SpecError,
    diff,
    from_resolved,
    resolved,
)
from jaxpot.spec.resolve import plain
from jaxpot.store.runs import find, run_dir

_LEAST = {
    "name": "opponent",
    "iterations": 1,
    "algorithm": {"kind": "ppo", "batch_size": 1},
    "collect": {"num_steps": 1, "selfplay": {"num_envs": 1}},
}
"""Placeholders for a spec's other sections, which break no rule."""


@attrs.frozen(kw_only=True, eq=False)
class CheckpointOpponent:
    """Plays `num_games` games against the fixed network of a checkpoint.

    If `greedy`, both networks take their likeliest moves: a game without chance then has one course
    from each side, and the standard error of `elo` means nothing. Otherwise both sample. With a
    search both search, each guided by its own network.

    Attributes:
        constants: The keyword argument of `run`: `opponent`, its variables.
        source: Where the opponent comes from: the uid of its `run`; `checkpoint`, relative to the
            folder of all runs; `iteration`; and `sha256` of the checkpoint's arrays.
    """

    config: CheckpointEvaluator
    env: Environment[Any]
    network: Network
    opponent_network: Network
    constants: Mapping[str, Any] = attrs.field(repr=False)
    source: Mapping[str, Any]

    def run(self, variables: Variables, key: Array, *, opponent: Variables) -> EvaluatorOutput:
        """Return `play.rates`, `elo` and `elo_stderr`, and the histogram `actions` `[A]`."""
        games = self.play(variables, key, opponent=opponent)
        difference = elo_difference(*outcomes(games))
        metrics = rates(games) | {"elo": difference.elo, "elo_stderr": difference.stderr}
        return EvaluatorOutput(metrics=metrics, histograms={"actions": games.action_counts})

    def play(self, variables: Variables, key: Array, *, opponent: Variables) -> Games:
        """Play the games that `run` summarises."""
        options = {"greedy": self.config.greedy, "search": self.config.search}
        play = partial(policy_player, self.env, **options)
        agent = play(self.network, variables)
        other = play(self.opponent_network, opponent)
        return play_games(self.env, agent, other, key, num_games=self.config.num_games)


def build(
    config: CheckpointEvaluator,
    *,
    name: str,
    env: Environment[Any],
    network: Network,
    experiment: Experiment,
    runs_dir: Path,
    recorded: Mapping[str, Any] | None = None,
) -> CheckpointOpponent:
    """Find the opponent, build its network, and restore its parameters.

    Args:
        config: Which run and which of its checkpoints.
        name: The evaluator's name, for errors without a path.
        env: The game.
        network: The agent's network.
        experiment: The agent's experiment; the opponent's run must be of the same game.
        runs_dir: Folder of all runs.
        recorded: The `source` that an earlier attempt at this run recorded. If given, exactly that
            opponent is loaded, even if the config's selectors now mean another.

    Raises:
        OpponentError: The opponent cannot be found or read, is not the recorded one, or does not
            fit this experiment.
        UserError: The game or the agent's network does not allow the search.
    """
    if config.search is not None:
        require_searchable(env, network, name=name)
    folder, info = _find(config, runs_dir, recorded)
    try:
        opponent_network = _network_of(folder, experiment, env)
        if config.search is not None and opponent_network.recurrent:
            raise _mismatch(
                f"run {folder.name}: its model is a recurrent one, which cannot guide a search",
                "a run whose model has no memory, or no search",
            )
        shapes = jax.eval_shape(lambda: opponent_network.init(jax.random.key(0)))
        opponent = Variables(*restore_network(info.path, shapes.params, shapes.model_state))
        sha256 = read_metadata(info.path).content_sha256
    except StateMismatch as error:
        raise OpponentError(
            "opponent-mismatch",
            "run",
            f"{error.path} does not fit the model that this jaxpot builds from its run's spec: "
            f"{'; '.join(error.faults)}",
            "another run",
        ) from error
    except CheckpointError as error:
        raise _missing("checkpoint", str(error)) from error
    return CheckpointOpponent(
        config=config,
        env=env,
        network=network,
        opponent_network=opponent_network,
        constants={"opponent": opponent},
        source={
            "run": folder.name,
            "checkpoint": info.path.relative_to(runs_dir).as_posix(),
            "iteration": info.iteration,
            "sha256": sha256,
        },
    )


def _find(
    config: CheckpointEvaluator, runs_dir: Path, recorded: Mapping[str, Any] | None
) -> tuple[Path, CheckpointInfo]:
    """Find the opponent's run, and the checkpoint in it."""
    if recorded is not None:
        folder = run_dir(runs_dir, recorded["run"])
        return folder, _same_checkpoint(folder, recorded)
    try:
        folder = find(runs_dir, config.run).path
    except UserError as error:
        raise _missing("run", str(error)) from error
    try:
        return folder, select_checkpoint(folder, config.checkpoint)
    except (CheckpointError, UserError) as error:
        raise _missing("checkpoint", str(error)) from error


def _missing(key: str, message: str) -> OpponentError:
    return OpponentError("opponent-missing", key, message, f"another {key}")


def _same_checkpoint(folder: Path, recorded: Mapping[str, Any]) -> CheckpointInfo:
    """Find a checkpoint with the recorded arrays, in any folder of its run's checkpoints."""
    iteration = recorded["iteration"]
    for info in list_checkpoints(folder):
        if info.iteration == iteration and _content(info.path) == recorded["sha256"]:
            return info
    raise OpponentError(
        "opponent-missing",
        "checkpoint",
        f"this run has played {recorded['checkpoint']}, which is gone or holds other "
        f"arrays (sha256 {recorded['sha256'][:16]}...)",
        "put it back, or start a new run against another opponent",
    )


def _content(path: Path) -> str | None:
    try:
        return read_metadata(path).content_sha256
    except DamagedCheckpoint:
        return None


def _mismatch(message: str, allowed: str) -> OpponentError:
    """Return the error of an opponent that this experiment cannot play."""
    return OpponentError("opponent-mismatch", "run", message, allowed)


def _network_of(folder: Path, experiment: Experiment, env: Environment[Any]) -> Network:
    """Build the network of the run in `folder`, for the experiment's game.

    Raises:
        OpponentError: The run plays another game, or its model cannot be built here.
    """
    header = read_header(folder / JOURNAL_NAME)
    spec = None if header is None else header.spec
    if spec is None or not isinstance(spec.get("model"), Mapping):
        raise _mismatch(
            f"run {folder.name}: its journal does not say what model it trained", "another run"
        )
    own = resolved(experiment)
    if games := diff({"env": _with_later_keys(spec.get("env"), experiment)}, {"env": own["env"]}):
        path, there, here = games[0]
        raise _mismatch(
            f"run {folder.name} plays another game: its {path} is {there!r}, this spec's is "
            f"{here!r}",
            "a run of this game",
        )
    auxiliary = spec.get("auxiliary", {})
    for part in (spec["model"], *auxiliary.values()):
        kind = part.get("kind")
        if isinstance(kind, str) and ":" in kind and kind not in _named_classes(experiment):
            what = "model" if part is spec["model"] else "auxiliary loss"
            raise _mismatch(
                f"run {folder.name}: its {what} is {kind}, a class that this spec does not name "
                "and that is therefore not imported",
                f"a run whose {what} this spec has too",
            )
    parts = {"env": own["env"], "model": spec["model"], "auxiliary": auxiliary}
    try:
        # It imports only classes that this spec names, as checked above.
        other = from_resolved(_LEAST | parts, import_user_code=True)
    except SpecError as error:
        faults = "; ".join(str(fault) for fault in error.faults)
        raise _mismatch(
            f"run {folder.name}: its model is refused: {faults}", "another run"
        ) from error
    losses = build_losses(other.auxiliary, env=env)
    return build_network(other.model, env=env, auxiliary=losses)


def _with_later_keys(env: Any, experiment: Experiment) -> Any:
    """Fill in keys that are younger than the recorded environment, with their defaults."""
    if not isinstance(env, Mapping):
        return env
    needed = plain(experiment.env, sparse=True)
    own = plain(experiment.env)
    return {key: value for key, value in own.items() if key not in needed} | dict(env)


def _named_classes(experiment: Experiment) -> set[str]:
    parts = (
        *(experiment.env, experiment.model, experiment.algorithm),
        *experiment.auxiliary.values(),
        *experiment.eval.values(),
    )
    return {part.kind for part in parts if isinstance(part, ImportedPart)}
