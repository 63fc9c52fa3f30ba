"""The rule on models: some networks need a board to look at."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from jaxpot.spec.configs.evaluators import GameTreeEvaluator
from jaxpot.spec.configs.models import is_recurrent, needs_board
from jaxpot.spec.configs.parts import ImportedPart
from jaxpot.spec.faults import Fault, Path
from jaxpot.spec.pgx_games import Game
from jaxpot.spec.registry import MODELS
from jaxpot.spec.rules.draft import Draft, Unknown
from jaxpot.spec.rules.opponents import unmet_networks
from jaxpot.spec.wording import listed


def _board(draft: Draft) -> Iterator[Fault]:
    model = draft.part("model")
    if needs_board(model):
        shape = draft.game().observation_shape
        if len(shape) != 3:
            message = f"{model.kind} needs an observation [H, W, C]; this game's is {list(shape)}"
            others = [row.kind for row in MODELS.rows if not needs_board(row.config)]
            yield Fault("needs-board-observation", ("model", "kind"), message, listed(others))


network_rules = (_board,)


_SEQ_LEN = ("algorithm", "seq_len")


def _no_memory(draft: Draft) -> Iterator[Fault]:
    if draft.sound(*_SEQ_LEN) is not None and not is_recurrent(draft.part("model")):
        message = "no effect with a model without memory, which learns from single rows"
        allowed = "remove this key, or give the model a `memory`"
        yield Fault("unused-option", _SEQ_LEN, message, allowed)


def _whole_sequences(draft: Draft) -> Iterator[Fault]:
    seq_len, num_steps = draft.sound(*_SEQ_LEN), draft.sound("collect", "num_steps")
    if seq_len is not None and num_steps % seq_len:
        message = f"collect.num_steps = {num_steps} is not divisible by {seq_len}"
        allowed = f"a divisor of {num_steps}"
        yield Fault("uneven-sequences", _SEQ_LEN, message, allowed)


def _whole_minibatches(draft: Draft) -> Iterator[Fault]:
    if not is_recurrent(draft.part("model")):
        return
    path = ("algorithm", "batch_size")
    seq_len = draft.sound(*_SEQ_LEN) or draft.sound("collect", "num_steps")
    batch_size = draft.sound(*path)
    if batch_size % seq_len:
        message = f"{batch_size} is not divisible by the {seq_len} steps of a sequence"
        yield Fault("uneven-sequences", path, message, f"a positive multiple of {seq_len}")


def _others_moves(draft: Draft) -> Iterator[Fault]:
    path = ("algorithm", "vtrace")
    if draft.sound(*path):
        yield from unmet_networks(draft, path, given=True)


sequence_rules = (_no_memory, _whole_sequences, _whole_minibatches, _others_moves)


_MEMORYLESS = "a model without memory"


def _searched_game(draft: Draft) -> Iterator[Fault]:
    reason = _why_not(draft.game())
    if reason is not None:
        for path, allowed in _searches(draft):
            yield Fault("search-unsupported", path, reason, allowed)


def _why_not(game: Game) -> str | None:
    if not game.deterministic:
        return "this is a game of chance: a move that is searched has no one outcome"
    if not game.perfect_information:
        return "a search would see what this game hides from its players"
    if not game.zero_sum:
        return "a search takes a player's gain for the other's loss; this game is not zero-sum"
    return None


def _searching_model(draft: Draft) -> Iterator[Fault]:
    if is_recurrent(draft.part("model")):
        for path, _ in _searches(draft):
            message = "a search asks about positions never played; a recurrent model remembers none"
            yield Fault("needs-feed-forward", path, message, _MEMORYLESS)


def _followed_model(draft: Draft) -> Iterator[Fault]:
    if not is_recurrent(draft.part("model")):
        return
    for name, evaluator in draft.part("eval").items():
        if isinstance(evaluator, GameTreeEvaluator):
            message = "lines of play meet in one position; a recurrent model would tell them apart"
            yield Fault("needs-feed-forward", ("eval", name), message, _MEMORYLESS)


def _vain_options(draft: Draft) -> Iterator[Fault]:
    with suppress(Unknown):
        algorithm = draft.part("algorithm")
        if not isinstance(algorithm, ImportedPart):
            yield from _vain(("algorithm",), algorithm)
    for name, evaluator in draft.part("eval").items():
        if getattr(evaluator, "search", None) is not None:
            yield from _vain(("eval", name, "search"), evaluator.search)


def _vain(path: Path, config: Any) -> Iterator[Fault]:
    for name, reason in config.unused().items():
        yield Fault("unused-option", (*path, name), f"no effect with {reason}", "remove this key")


def _idle_opponents(draft: Draft) -> Iterator[Fault]:
    path = ("algorithm", "opponent_acting")
    acting = draft.sound(*path)
    if acting != "network":
        yield from unmet_networks(draft, path, given=acting)


def _searches(draft: Draft) -> Iterator[tuple[Path, str]]:
    """Yield where a spec asks for a search, and what it may say there without one."""
    with suppress(Unknown):
        if _own(draft.part("algorithm"), "searches"):
            yield ("algorithm", "kind"), 'another kind, such as "ppo"'
    with suppress(Unknown):
        for name, evaluator in draft.part("eval").items():
            if getattr(evaluator, "search", None) is not None:
                yield ("eval", name, "search"), "no search"


def _own(config: Any, name: str) -> Any:
    """Return an attribute of a part's class, a user's own included; None where it has none."""
    return getattr(config.config if isinstance(config, ImportedPart) else config, name, None)


search_rules = (
    _searched_game,
    _searching_model,
    _followed_model,
    _vain_options,
    _idle_opponents,
)
