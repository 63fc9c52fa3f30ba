"""Configs of auxiliary losses: what a network learns to tell beside the policy and the value."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import attrs

from jaxpot.spec.configs.parts import ImportedPart
from jaxpot.spec.faults import Fault
from jaxpot.spec.fields import option
from jaxpot.spec.keys import PayloadKey
from jaxpot.spec.pgx_games import GAMES
from jaxpot.spec.rules.draft import Draft, Unknown
from jaxpot.spec.wording import listed, shown

TRAINING = "training"


@attrs.frozen(kw_only=True)
class GameProgress:
    """Tells how far the game has come: its step over the longest game's, by a sigmoid head."""

    kind: ClassVar[str] = "game_progress"
    target: ClassVar[str] = "game_progress"
    needs_hands: ClassVar[bool] = False

    coeff: float = option(default=0.1, ge=0, doc="Weight of the binary cross-entropy.")


@attrs.frozen(kw_only=True)
class OpponentHand:
    """Tells the opponent's hidden cards, in a card game, by a softmax head."""

    kind: ClassVar[str] = "opponent_hand"
    target: ClassVar[str] = "opponent_hand"
    needs_hands: ClassVar[bool] = True

    coeff: float = option(default=0.1, ge=0, doc="Weight of the cross-entropy.")


AuxiliaryConfig = GameProgress | OpponentHand | ImportedPart


def auxiliary_keys(losses: Mapping[str, Any]) -> tuple[PayloadKey, ...]:
    """Return the keys that auxiliary losses emit: of each its mean, unweighted."""
    return tuple(
        PayloadKey(
            name=name,
            dtype="float",
            unit="",
            doc=f"Mean of the auxiliary loss `{name}`, unweighted.",
            phase=TRAINING,
        )
        for name in losses
    )


def target_of(config: Any) -> str | None:
    """Return what an auxiliary loss learns to tell; None where its class was not imported.

    A user's class that names no target counts as a separate target.
    """
    if isinstance(config, ImportedPart):
        return None if config.config is None else getattr(config.config, "target", config.kind)
    return config.target


def _one_loss_a_target(draft: Draft) -> Iterator[Fault]:
    first: dict[str, str] = {}
    for name, target in _sound_targets(draft):
        if target in first:
            message = f"{shown(first[target])} and {shown(name)} both learn {shown(target)}"
            yield Fault("repeated-target", ("auxiliary", name), message, "one loss for a target")
        else:
            first[target] = name


def _sound_targets(draft: Draft) -> Iterator[tuple[str, str]]:
    for name in draft.part("auxiliary"):
        try:
            target = target_of(draft.part("auxiliary", name))
        except Unknown:
            continue
        if target is not None:
            yield name, target


def _hands(draft: Draft) -> Iterator[Fault]:
    game = draft.game()
    for name, config in draft.part("auxiliary").items():
        if getattr(config, "needs_hands", False) and game.hand_size is None:
            games = [each for each, facts in GAMES.items() if facts.hand_size is not None]
            message = "this game cannot tell a player's hand"
            yield Fault("needs-hands", ("auxiliary", name), message, f"in {listed(games)}")


auxiliary_rules = (_one_loss_a_target, _hands)
