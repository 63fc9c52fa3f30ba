"""The rules on opponents: what play against the league, its archive and the target needs."""

from collections.abc import Iterator
from typing import Any

from jaxpot.spec.configs.evaluators import ArchiveEvaluator
from jaxpot.spec.configs.league import AddSchedule
from jaxpot.spec.faults import Fault, Path
from jaxpot.spec.rules.draft import Draft, Unknown
from jaxpot.spec.wording import shown

_COLLECTORS = ("league", "archive")


def _league(draft: Draft) -> Iterator[Fault]:
    if draft.sound("league") is None:
        for name in _COLLECTORS:
            if draft.part("collect", name) is not None:
                yield _no_league("collect", name)


def _evaluated_league(draft: Draft) -> Iterator[Fault]:
    if draft.sound("league") is None:
        for name in _archive_evaluators(draft):
            yield _no_league("eval", name)


def _no_league(*path: str) -> Fault:
    return Fault("needs-league", path, "there is no league", "add a [league] section")


def _recall(draft: Draft) -> Iterator[Fault]:
    path = ("collect", "archive")
    draft.sound("eval")
    if draft.part(*path) is not None and not _archive_evaluators(draft):
        message = "no evaluator says which entries of the archive are forgotten"
        allowed = 'add an [eval.<name>] with kind = "archive"'
        yield Fault("needs-archive-evaluator", path, message, allowed)


def _archive_size(draft: Draft) -> Iterator[Fault]:
    path = ("league", "archive_size")
    if draft.sound(*path) == 0:
        users = [f"[eval.{name}]" for name in _archive_evaluators(draft)]
        if draft.part("collect", "archive") is not None:
            users.insert(0, "[collect.archive]")
        if users:
            message = f"the archive of {' and '.join(users)} holds nothing"
            yield Fault("no-archive", path, message, "an integer from 1 to 4096")


def _never_played(draft: Draft) -> Iterator[Fault]:
    path = ("collect", "league")
    league = draft.sound("league")
    if league is None or draft.sound(*path) is None:
        return
    first = AddSchedule.of(league, draft.sound("collect")).start + 1
    if first >= draft.sound("iterations"):
        message = f"the league has no entry to play before iteration {first}, after the run's end"
        allowed = f"an `iterations` above {first}, or a collect.random.until that ends sooner"
        yield Fault("league-too-late", path, message, allowed)


def _groups(draft: Draft) -> Iterator[Fault]:
    unit = draft.sound("league", "base_unit")
    for name in _COLLECTORS:
        path = ("collect", name, "num_envs")
        try:
            num_envs = draft.sound(*path)
        except Unknown:
            continue
        if num_envs % unit:
            message = f"{num_envs} is not divisible by league.base_unit = {unit}"
            yield Fault("uneven-envs", path, message, f"a positive multiple of {unit}")


def _target(draft: Draft) -> Iterator[Fault]:
    path = ("collect", "selfplay", "opponent")
    if draft.sound(*path) == "target" and draft.sound("target") is None:
        allowed = '"live", or add a [target] section'
        yield Fault("needs-target", path, "there is no target", allowed)


def _halves(draft: Draft) -> Iterator[Fault]:
    path = ("collect", "selfplay", "num_envs")
    num_envs = draft.sound(*path)
    if draft.sound("collect", "selfplay", "opponent") == "target" and num_envs % 2:
        message = f"{num_envs} is not divisible by 2"
        allowed = "an even integer: the target moves first in one half of the games"
        yield Fault("uneven-envs", path, message, allowed)


def unmet_networks(draft: Draft, path: Path, given: Any) -> Iterator[Fault]:
    """Yield a fault where an option is about networks that the agent meets, and it meets none."""
    others = [draft.part("collect", name) for name in _COLLECTORS]
    selfplay = draft.part("collect", "selfplay")
    target = selfplay is not None and draft.sound("collect", "selfplay", "opponent") == "target"
    if not target and all(other is None for other in others):
        message = f"{shown(given)}, but no network is played against"
        allowed = "add [collect.league], [collect.archive] or the target"
        yield Fault("unused-option", path, message, allowed)


def _archive_evaluators(draft: Draft) -> list[str]:
    evaluators = draft.part("eval").items()
    return [name for name, evaluator in evaluators if isinstance(evaluator, ArchiveEvaluator)]


opponent_rules = (
    _league,
    _evaluated_league,
    _recall,
    _archive_size,
    _never_played,
    _groups,
    _target,
    _halves,
)
