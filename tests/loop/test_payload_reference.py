"""The payload's reference in `docs/` is made from what declares the keys, and misses none."""

import re
from pathlib import Path

import attrs
import pytest

from jaxpot.loop.payload_reference import reference
from jaxpot.loop.phases import compile_graph
from jaxpot.spec import AlphaZero, payload_keys
from tests.tiny import tiny_experiment

FILE = Path(__file__).parents[2] / "docs" / "payload.md"
ROW = re.compile(r"^\| `([^`]+)` \| (int|float) \| (\S+) \|", flags=re.MULTILINE)
SECTIONS = {
    section.partition("\n")[0]: ROW.findall(section)
    for section in re.split("^## ", reference(), flags=re.MULTILINE)
}
ALGORITHMS = [title for title in SECTIONS if title.startswith("`[algorithm]`")]
OWN = '`[algorithm]`, `kind = "ppo"`'
ROWS = {
    row for title, rows in SECTIONS.items() for row in rows if title not in {*ALGORITHMS} - {OWN}
}


def test_the_shipped_file_is_the_reference():
    assert FILE.read_text(encoding="utf-8") == reference()


LEAGUE = {
    "auxiliary": {"reported": {"kind": "game_progress"}},
    "league": {"size": 2, "add_every": 3, "base_unit": 2},
    "target": {"tau": 0.5},
    "collect": {"league": {"num_envs": 4}, "archive": {"num_envs": 2}},
    "eval": {
        "old": {"kind": "archive", "every": 2, "num_games": 4},
        "rival": {"kind": "checkpoint", "every": 4, "num_games": 4, "run": "x"},
    },
}


@pytest.mark.parametrize("profile_every", [0, 4])
def test_every_key_of_a_run_is_there_with_its_type_and_unit(profile_every):
    runtime = {"profile_every": profile_every}
    keys = payload_keys(tiny_experiment(overrides=LEAGUE, runtime=runtime))
    names = re.compile(r"eval_(vs_random|tree|old|rival)")
    emitted = {(names.sub("eval_<name>", key.name), key.dtype, key.unit or "-") for key in keys}
    emitted = {("<name>" if name == "reported" else name, *rest) for name, *rest in emitted}
    assert emitted <= ROWS
    if profile_every:
        assert emitted == ROWS


def test_no_key_is_there_twice():
    assert all(len(rows) == len(set(rows)) for rows in SECTIONS.values())
    for algorithm in ALGORITHMS:
        titles = {*SECTIONS} - {*ALGORITHMS} | {algorithm}
        rows = [row for title in titles for row in SECTIONS[title]]
        others = [row for row in rows if not row[0].startswith("eval_")]
        assert len(others) == len(set(others))


def test_a_run_with_everything_has_every_phase():
    experiment = tiny_experiment(overrides=LEAGUE)
    learner = AlphaZero(batch_size=32, replay_iterations=2)
    graph = compile_graph(attrs.evolve(experiment, algorithm=learner))
    phases = re.findall(r"^\| `([^`]+)` \| (?:device|host) \|", reference(), flags=re.MULTILINE)
    evaluators = {f"eval_{name}" for name in ("vs_random", "tree", "old", "rival")}
    assert [phase for phase in phases if phase != "eval_<name>"] == [
        phase.name for phase in graph.phases if phase.name not in evaluators
    ]


def test_windows_and_conditions_are_in_words():
    rows = [line for line in reference().splitlines() if line.startswith("| `")]

    def present(key):
        return {line.split(" | ")[3] for line in rows if line.startswith(f"| `{key}` ")}

    assert present("train_vs_league/reward") == {
        "every iteration, from the league's first entry on"
    }
    assert present("train_vs_archive/reward") == {
        "every iteration, while an archived entry is active"
    }
    assert present("timings/collect_archive_league") == {
        "every `runtime.profile_every`, while an archived entry is active"
    }
    assert present("eval_<name>/win_rate") == {
        "every `eval.<name>.every`",
        "every `eval.<name>.every`, from the archive's first entry on",
    }
    assert present("iteration/active_archive_size") == {"every iteration"}
