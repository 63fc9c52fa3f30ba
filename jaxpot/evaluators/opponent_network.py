"""Build the network that another run trained, from the spec in its journal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxpot.algorithms.auxiliary import build_losses
from jaxpot.algorithms.auxiliary.network import build_network
from jaxpot.evaluators.base import OpponentError
from jaxpot.games.base import Environment
from jaxpot.journal import JOURNAL_NAME, read_header
from jaxpot.models.base import Network
from jaxpot.spec import Experiment, ImportedPart, SpecError, diff, from_resolved, resolved
from jaxpot.spec.resolve import plain

_LEAST = {
    "name": "opponent",
    "iterations": 1,
    "algorithm": {"kind": "ppo", "batch_size": 1},
    "collect": {"num_steps": 1, "selfplay": {"num_envs": 1}},
}
"""Placeholders for a spec's other sections, which break no rule."""


def mismatch(message: str, allowed: str) -> OpponentError:
    """Return the error of an opponent that this experiment cannot play."""
    return OpponentError("opponent-mismatch", "run", message, allowed)


def network_of(folder: Path, experiment: Experiment, env: Environment[Any]) -> Network:
    """Build the network of the run in `folder`, for the experiment's game.

    Raises:
        OpponentError: The run plays another game, or its model cannot be built here.
    """
    header = read_header(folder / JOURNAL_NAME)
    spec = None if header is None else header.spec
    if spec is None or not isinstance(spec.get("model"), Mapping):
        raise mismatch(
            f"run {folder.name}: its journal does not say what model it trained", "another run"
        )
    own = resolved(experiment)
    if games := diff({"env": _with_later_keys(spec.get("env"), experiment)}, {"env": own["env"]}):
        path, there, here = games[0]
        raise mismatch(
            f"run {folder.name} plays another game: its {path} is {there!r}, this spec's is "
            f"{here!r}",
            "a run of this game",
        )
    auxiliary = spec.get("auxiliary", {})
    for part in (spec["model"], *auxiliary.values()):
        kind = part.get("kind")
        if isinstance(kind, str) and ":" in kind and kind not in _named_classes(experiment):
            what = "model" if part is spec["model"] else "auxiliary loss"
            raise mismatch(
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
        raise mismatch(
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
