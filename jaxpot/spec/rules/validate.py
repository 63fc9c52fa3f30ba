"""The rules across fields, checked on as much of a spec as is sound.

A rule asks a `Draft` for what it needs. Where that was refused already, the rule is silent: a
second fault that follows from the first does not help.
"""

from collections.abc import Callable, Iterator

import attrs

from jaxpot.spec.configs.auxiliary import auxiliary_rules
from jaxpot.spec.configs.collect import certain_rows, most_rows
from jaxpot.spec.configs.envs import PgxEnv
from jaxpot.spec.configs.evaluators import GameTreeEvaluator
from jaxpot.spec.configs.experiment import Experiment
from jaxpot.spec.configs.optimizers import SGD, Cosine, Linear
from jaxpot.spec.faults import Fault, nearest
from jaxpot.spec.fields import INT32_MAX
from jaxpot.spec.pgx_games import GAMES, OTHER_PLAYERS
from jaxpot.spec.registry import replay_iterations
from jaxpot.spec.rules.draft import Draft, Unknown
from jaxpot.spec.rules.metrics import metric_rules
from jaxpot.spec.rules.networks import network_rules, search_rules, sequence_rules
from jaxpot.spec.rules.opponents import opponent_rules
from jaxpot.spec.wording import listed, shown

Rule = Callable[[Draft], Iterator[Fault]]


def validate(spec: Experiment | Draft) -> list[Fault]:
    """Return the faults of a spec that concern more than one of its fields."""
    if isinstance(spec, Experiment):
        spec = Draft({field.name: getattr(spec, field.name) for field in attrs.fields(Experiment)})
    faults: list[Fault] = []
    for rule in _ALL:
        try:
            for fault in rule(spec):
                faults.append(fault)
        except Unknown:
            continue
    return faults


def _pgx_game(draft: Draft) -> Iterator[Fault]:
    if not isinstance(draft.part("env"), PgxEnv):
        return
    path = ("env", "id")
    name = draft.sound(*path)
    if name in OTHER_PLAYERS:
        players = OTHER_PLAYERS[name]
        message = f"{shown(name)} is a game for {players} player{'s' * (players > 1)}"
        yield Fault("unsupported-players", path, message, f"a game for two: {listed([*GAMES])}")
    elif name not in GAMES:
        message = f"pgx has no game {shown(name)}"
        yield Fault("unknown-game", path, message, listed([*GAMES]), nearest(name, GAMES))


def _history(draft: Draft) -> Iterator[Fault]:
    if not draft.game().both_views and draft.sound("env", "history") > 1:
        message = f"{shown(draft.sound('env', 'id'))} shows a position to the player to move only"
        yield Fault("needs-both-views", ("env", "history"), message, "1")


def _game_tree(draft: Draft) -> Iterator[Fault]:
    game = draft.game()
    for name, evaluator in draft.part("eval").items():
        if not isinstance(evaluator, GameTreeEvaluator):
            continue
        path = ("eval", name)
        positions = game.tree_positions
        if positions is None:
            message = "the game has chance or hidden information: it has no tree to follow"
            yield Fault("game-tree-unsupported", path, message, 'another kind, such as "random"')
        elif (*path, "max_positions") in draft.refused:
            continue
        elif positions > evaluator.max_positions:
            message = f"the game has about {_rounded(positions)} positions"
            allowed = f"at most max_positions = {evaluator.max_positions}"
            yield Fault("game-tree-too-large", path, message, allowed)


def _some_collector(draft: Draft) -> Iterator[Fault]:
    selfplay = draft.sound("collect", "selfplay")
    random = draft.sound("collect", "random")
    league = draft.part("collect", "league")
    if selfplay is not None:
        return
    if random is None:
        empty = "" if league is None else " until the league has an entry"
        sections = "[collect.selfplay], [collect.random] or both"
        yield Fault("no-collector", ("collect",), f"nothing is collected{empty}", sections)
    elif random.until is not None and random.until < draft.sound("iterations"):
        message = f"nothing is collected from iteration {random.until} on"
        if league is not None:
            message = f"nothing is collected at iteration {random.until}: the league is empty then"
        allowed = "`iterations` or more, no `until`, or add a [collect.selfplay]"
        yield Fault("no-collector", ("collect", "random", "until"), message, allowed)


def _collected_rows(draft: Draft) -> Iterator[Fault]:
    collect = draft.sound("collect")
    if most_rows(collect) > INT32_MAX:
        message = f"an iteration has {most_rows(collect)} rows"
        allowed = f"at most {INT32_MAX} rows: fewer steps or environments"
        yield Fault("too-many-rows", ("collect", "num_steps"), message, allowed)


def _batch_size(draft: Draft) -> Iterator[Fault]:
    path = ("algorithm", "batch_size")
    batch_size = draft.sound(*path)
    collect = draft.sound("collect")
    last = draft.sound("iterations") - 1
    rows, t = min((certain_rows(collect, t), t) for t in (0, last))
    kept = replay_iterations(draft.part("algorithm"))
    if 0 < rows * kept < batch_size:
        # The smallest iterations are those after the random warm-up: name the first of them.
        t = collect.random.until if t else 0
        message = f"{batch_size} rows, but iteration {t} collects {rows}"
        if kept > 1:
            message += f" and {kept} iterations are kept"
        yield Fault("batch-too-large", path, message, f"at most {rows * kept}")


def _warmup(draft: Draft) -> Iterator[Fault]:
    for path in (("optimizer", "learning_rate"), ("algorithm", "entropy_coeff")):
        try:
            schedule = draft.sound(*path)
        except Unknown:
            continue
        if isinstance(schedule, Linear | Cosine) and schedule.warmup >= schedule.iterations:
            message = f"{schedule.warmup} iterations of warm-up in {schedule.iterations}"
            allowed = "fewer than the schedule's `iterations`"
            yield Fault("warmup-too-long", (*path, "warmup"), message, allowed)


def _nesterov(draft: Draft) -> Iterator[Fault]:
    optimizer = draft.part("optimizer")
    if (
        isinstance(optimizer, SGD)
        and optimizer.nesterov
        and not draft.sound("optimizer", "momentum")
    ):
        message = "`nesterov` needs momentum"
        yield Fault("needs-momentum", ("optimizer", "nesterov"), message, "`momentum` above 0")


def _one_device(draft: Draft) -> Iterator[Fault]:
    devices = draft.sound("runtime", "devices")
    if devices > 1:
        message = f"training on {devices} devices is not supported yet"
        yield Fault("several-devices", ("runtime", "devices"), message, "1")


def _rounded(number: int) -> str:
    return str(number) if number < 10**6 else f"{float(number):.1e}"


_RULES: tuple[Rule, ...] = (
    _pgx_game,
    _history,
    _game_tree,
    _some_collector,
    _collected_rows,
    _batch_size,
    _warmup,
    _nesterov,
    _one_device,
)

_ALL = (
    *_RULES,
    *network_rules,
    *auxiliary_rules,
    *opponent_rules,
    *search_rules,
    *sequence_rules,
    *metric_rules,
)
