"""A tiny experiment with all that a league has, and what its journal tells."""

from typing import Any

from jaxpot.loop.observer import RunResult
from jaxpot.spec import Experiment
from tests.journal.reading import records
from tests.loop.running import journal
from tests.tiny import merged, tiny_experiment

LEAGUE: dict[str, Any] = {
    "algorithm": {"batch_size": 16},
    "optimizer": {"accumulate_steps": 3},
    "collect": {
        "num_steps": 6,
        "selfplay": {"num_envs": 8, "opponent": "target"},
        "random": {"num_envs": 8, "until": 2},
        "league": {"num_envs": 12},
        "archive": {"num_envs": 4},
    },
    "league": {
        "size": 2,
        "add_every": 3,
        "fill_every": 2,
        "base_unit": 2,
        "archive_size": 2,
        "forgotten_margin": -0.05,
        "score_alpha": 0.3,
        "log_every": 1,
    },
    "target": {"tau": 0.25, "every": 2},
    "eval": {
        "vs_random": None,
        "tree": None,
        "old": {"kind": "archive", "every": 4, "num_games": 6},
    },
    "checkpoint": {
        "every": 4,
        "keep_last": 20,
        "best": {"metric": "train_vs_league/reward", "every": 5, "keep": 2},
    },
}  # fmt: skip


def league_experiment(overrides: Any = None, **changes: Any) -> Experiment:
    """Returns it with 26 iterations, in which every regime and every event occurs."""
    changes = {"iterations": 26, "seed": 3} | changes
    return tiny_experiment(**changes, overrides=merged(LEAGUE, overrides or {}))


def league_events(result: RunResult) -> list[tuple[int, str, dict[str, Any]]]:
    """Returns the live events of the league: iteration, name and payload."""
    live: list[tuple[int, str, dict[str, Any]]] = []
    for record in records(journal(result), kinds=("attempt", "event")):
        if record["kind"] == "attempt":
            live = [event for event in live if event[0] < record["start_iter"]]
        elif record["name"].startswith("league_"):
            live.append((record["iter"], record["name"], record["payload"]))
    return live


def standings(result: RunResult) -> dict[int, list[dict[str, Any]]]:
    """Returns the standings by iteration, of the newest attempt that recorded them."""
    return {
        record["iter"]: record["standings"]
        for record in records(journal(result), kinds=("standings",))
    }
