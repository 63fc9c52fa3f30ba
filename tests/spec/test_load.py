"""Loading: every bad input's exact text, line numbers, and damage that never escapes."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import tomli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxpot.spec.configs.optimizers import AdamW
from jaxpot.spec.configs.runtime import Checkpoint
from jaxpot.spec.faults import SpecError, dotted
from jaxpot.spec.source.load import load

EXAMPLE = (Path(__file__).parent / "example.toml").read_text(encoding="utf-8")
EVERYTHING = (Path(__file__).parent / "everything.toml").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def example(tmp_path, monkeypatch):
    """A fresh working directory with the example in it."""
    monkeypatch.chdir(tmp_path)
    Path("spec.toml").write_text(EXAMPLE, encoding="utf-8")


def replaced(*changes):
    """The example with each text that is named replaced by the one after it."""
    text = EXAMPLE
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def refusal(text, *overrides, import_user_code=False):
    Path("spec.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SpecError) as error:
        load("spec.toml", overrides=overrides, import_user_code=import_user_code)
    return str(error.value).splitlines()


def test_the_example_loads():
    loaded = load("spec.toml")
    assert loaded.experiment.name == "ttt"
    assert loaded.resolved["optimizer"]["b1"] == 0.9
    assert loaded.import_paths == ()
    assert loaded.files == ("spec.toml",)


def test_an_example_of_every_section_loads():
    Path("spec.toml").write_text(EVERYTHING, encoding="utf-8")
    experiment = load("spec.toml").experiment
    assert experiment.collect.selfplay.opponent == "live"
    assert experiment.collect.archive.num_envs == 512
    assert experiment.league.slots == 40
    assert experiment.league.fill_every is None
    assert experiment.target.tau == 0.002
    assert list(experiment.eval) == ["vs_random", "archive"]


def test_an_example_of_every_section_without_what_recalls():
    start, end = EVERYTHING.index("[eval.archive]"), EVERYTHING.index("[checkpoint]")
    lines = EVERYTHING[:start].splitlines()
    (fault,) = refusal(EVERYTHING[:start] + EVERYTHING[end:])
    place = f"spec.toml:{lines.index('[collect.archive]') + 1}: collect.archive: "
    assert fault.startswith(place) and fault.endswith("[needs-archive-evaluator]")


def test_bad_league_play(snapshot):
    changes = {
        "league.archive_size": 0,
        "league.base_unit": 96,
        "league.temprature": 0.5,
        "collect.league.num_envs": 1000,
        "collect.selfplay.oponent": '"target"',
        "league": '"none"',
        "eval.archive.kind": '"archived"',
    }
    found = {path: refusal(EVERYTHING, f"{path}={value}") for path, value in changes.items()}
    opponent = 'collect.selfplay.opponent="target"'
    found["target"] = refusal(EVERYTHING, opponent, 'target="none"')
    assert found == snapshot


BAD_VALUES = {
    "unknown key": ("learning_rate = 1e-3", "learning_rte = 1e-3"),
    "unknown key at the top": ("seed = 42", "sed = 42"),
    "unknown section": ("[checkpoint]", "[checkpoints]"),
    "unknown kind of optimizer": ('kind = "adamw"', 'kind = "adamax"'),
    "unknown kind of game": ('kind = "pgx"', 'kind = "gym"'),
    "missing kind": ('kind = "adamw"\n', ""),
    "missing section": ('[model]\nkind = "mlp"\nhidden_dims = [64, 64]\n', ""),
    "string for int": ("iterations = 300", 'iterations = "300"'),
    "float for int": ("num_epochs = 4", "num_epochs = 3.7"),
    "bool for int": ("num_epochs = 4", "num_epochs = true"),
    "string for bool": ("clip_eps = 0.2", 'normalize_advantage = "false"'),
    "string for an array": ('tags = ["tic_tac_toe", "quickstart"]', 'tags = "12"'),
    "value for a table": ("[collect.selfplay]\nnum_envs = 1024", "selfplay = 1024"),
    "array for a table": ("[checkpoint]", "[[checkpoint]]"),
    "a date": ("seed = 42", "seed = 2026-11-22"),
    "NaN": ("gamma = 0.99", "gamma = nan"),
    "infinity": ("value_coeff = 0.5", "value_coeff = inf"),
    "infinite learning rate": ("learning_rate = 1e-3", "learning_rate = 1e999"),
    "negative": ("learning_rate = 1e-3", "learning_rate = -1e-3"),
    "zero": ("learning_rate = 1e-3", "learning_rate = 0"),
    "zero iterations": ("iterations = 300", "iterations = 0"),
    "zero layers' width": ("hidden_dims = [64, 64]", "hidden_dims = [64, 0]"),
    "above its range": ("gamma = 0.99", "gamma = 1.5"),
    "schedule value": ("init = 0.01", "init = -0.01"),
    "schedule key": ("end = 0.001,", "ende = 0.001,"),
    "schedule warm-up": ("iterations = 1000 }", "iterations = 1000, warmup = 1000 }"),
    "negative seed": ("seed = 42", "seed = -1"),
    "seed of 33 bits": ("seed = 42", "seed = 4294967296"),
    "seed of 65 bits": ("seed = 42", "seed = 18446744073709551616"),
    "a name that is no name": ('name = "ttt"', 'name = "../ttt"'),
    "unknown game": ('id = "tic_tac_toe"', 'id = "tic_tac_to"'),
    "a single-player game": ('id = "tic_tac_toe"', 'id = "2048"'),
    "a game for three": ('id = "tic_tac_toe"', 'id = "sparrow_mahjong"'),
    "a game for four": ('id = "tic_tac_toe"', 'id = "bridge_bidding"'),
    "metric of best": ('metric = "eval_vs_random/win_rate"', 'metric = "eval_vs_rand/win_rate"'),
    "metric of a gate": ('"eval_vs_random/lose_rate"', '"eval_vs_random/loss_rate"'),
    "an evaluator named twice": (
        "[checkpoint]",
        '[eval.vs_random]\nkind = "random"\nevery = 1\nnum_games = 2\n[checkpoint]',
    ),
    "an evaluator's bad name": ("[eval.vs_random]", '[eval."vs random"]'),
    "a gate on what the last iteration lacks": ("every = 50\n", "every = 7\n"),
    "a gate without a bound": ("max = 0.02", ""),
    "a batch above an iteration": ("batch_size = 2048", "batch_size = 1000000"),
    "an odd number of games": ("num_games = 4096", "num_games = 4095"),
    "iterations without a collector": ("[collect.selfplay]\nnum_envs = 1024\n", ""),
    "a residual network on flat observations": (
        *('id = "tic_tac_toe"', 'id = "kuhn_poker"'),
        *('kind = "mlp"\nhidden_dims = [64, 64]', 'kind = "resnet"'),
    ),
    "several devices": ("[checkpoint]", "[runtime]\ndevices = 2\n[checkpoint]"),
    "a tree that is too large": (
        *('id = "tic_tac_toe"', 'id = "connect_four"'),
        *("[checkpoint]", '[eval.tree]\nkind = "game_tree"\nevery = 50\n[checkpoint]'),
    ),
    "a tree of a game of chance": (
        *('id = "tic_tac_toe"', 'id = "backgammon"'),
        *("[checkpoint]", '[eval.tree]\nkind = "game_tree"\nevery = 50\n[checkpoint]'),
    ),
}


def test_bad_values(snapshot):
    assert {name: refusal(replaced(*change)) for name, change in BAD_VALUES.items()} == snapshot


def test_bad_files(snapshot):
    Path("folder").mkdir()
    Path("cycle.toml").write_text('extends = "spec.toml"')
    found = {}
    for name in ("missing.toml", "spec", "folder"):
        with pytest.raises(SpecError) as error:
            load(name)
        found[name] = str(error.value)
    found |= {
        "not UTF-8": refusal(EXAMPLE.replace('"ttt"', '"té"').encode("latin-1")),
        "syntax": refusal(replaced("seed = 42", "seed = ")),
        "bare word": refusal(replaced('name = "ttt"', "name = ttt")),
        "duplicate key": refusal(replaced("seed = 42", "seed = 42\nseed = 43")),
        "duplicate table": refusal(f"{EXAMPLE}\n[env]\n"),
        "cycle": refusal(f'extends = "cycle.toml"\n{EXAMPLE}'),
        "empty": refusal(""),
        "10 MB of nested arrays": refusal("a = " + "[" * 5_000_000 + "]" * 5_000_000),
        "nested arrays below 1 MB": refusal("a = " + "[" * 400_000 + "]" * 400_000),
        "nested headers": refusal(f"[{'a.' * 5000}a]"),
    }
    assert found == snapshot


def test_bad_overrides(snapshot):
    overrides = [
        "optimizer.learning_rte=3",
        "optimiser.learning_rate=3",
        "optimizer.learning_rate=-1",
        'optimizer.kind="adamax"',
        "expect.0.maximum=1",
        "expect.1.max=1",
        "eval.vs_random.every=0",
        "eval.vs_rand.every=10",
        "model.hidden_dims.0=0.5",
        "name=my-run",
        "seed=4294967296",
        "iterations",
    ]
    assert {override: refusal(EXAMPLE, override) for override in overrides} == snapshot


def test_bad_imports(snapshot, monkeypatch):
    Path("broken_part.py").write_text("1 / 0\n")
    Path("plain_part.py").write_text("class Game:\n    pass\nnumber = 3\n")
    monkeypatch.syspath_prepend(str(Path.cwd()))
    paths = [
        "no_such_package.games:Nim",
        "broken_part:Game",
        "plain_part:Game",
        "plain_part:number",
        "plain_part:Nothing",
        "plain_part:",
        ":Game",
        "a b:c",
        "os:path:join",
    ]
    found = {}
    for path in paths:
        text = replaced('kind = "pgx"\nid = "tic_tac_toe"', f'kind = "{path}"')
        found[path] = refusal(text, import_user_code=True)
    assert found == snapshot


def test_every_fault_is_told_at_once_in_the_order_of_its_lines():
    Path("base.toml").write_text("seed = -1\n[runtime]\nnproc = 0\n")
    text = 'extends = "base.toml"\n' + replaced("num_epochs = 4", "num_epochs = 0").replace(
        "seed = 42\n", ""
    ).replace("keep_last = 5", "keep_last = 0").replace("every = 50", "every = 0")
    lines = refusal(text, "optimizer.b1=2", "iterations=0")
    assert [line.split(": ")[:2] for line in lines] == [
        ["spec.toml:16", "algorithm.num_epochs"],
        ["spec.toml:40", "eval.vs_random.every"],
        ["spec.toml:45", "checkpoint.keep_last"],
        ["base.toml:1", "seed"],
        ["base.toml:3", "runtime.nproc"],
        ["-s iterations=0", "iterations"],
        ["-s optimizer.b1=2", "optimizer.b1"],
    ]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("seed = 42", "seed = -1", "spec.toml:2: seed"),
        ("until = 50", "until = 0", "spec.toml:36: collect.random.until"),
        ("hidden_dims = [64, 64]", "hidden_dims = [\n64,\n0]", "spec.toml:14: model.hidden_dims.1"),
        (
            "init = 0.01,",
            "\n  init = 0.01, edn = 1,\n",
            "spec.toml:23: algorithm.entropy_coeff.edn",
        ),
        ("keep = 3", "keep = 0", "spec.toml:47: checkpoint.best.keep"),
        (
            'best = { metric = "eval_vs_random/win_rate", mode = "max", keep = 3 }',
            'best.metric = "iter"\nbest.keep = 0',
            "spec.toml:48: checkpoint.best.keep",
        ),
        ("max = 0.02", 'max = "0.02"', "spec.toml:52: expect.0.max"),
        ("max = 0.02", "max = 0.02\n[[expect]]\nmx = 1", "spec.toml:54: expect.1.mx"),
        ("[checkpoint]", "[checkpoint]\n[checkpoint.bets]", "spec.toml:44: checkpoint.bets"),
        ('kind = "adamw"\n', "", "spec.toml:24: optimizer"),
    ],
)
def test_the_line_of_a_fault(old, new, place):
    assert any(line.startswith(f"{place}") for line in refusal(replaced(old, new)))


def test_bases_and_overrides_come_together():
    Path("base.toml").write_text(EXAMPLE)
    Path("spec.toml").write_text('extends = "base.toml"\nname = "faster"\noptimizer.b1 = 0.8\n')
    loaded = load("spec.toml", overrides=["optimizer.learning_rate=3e-4"])
    assert loaded.experiment.name == "faster"
    assert loaded.experiment.optimizer.learning_rate == 3e-4
    assert loaded.experiment.optimizer.b1 == 0.8
    assert loaded.files == ("spec.toml", "base.toml")


def test_an_absolute_path_and_a_path_object_load(tmp_path):
    assert load(tmp_path / "spec.toml").files == (str(tmp_path / "spec.toml"),)


def test_loading_imports_neither_arrays_nor_jax():
    program = (
        "import sys; from jaxpot.spec.source.load import load; load('spec.toml');"
        "bad = {'jax', 'jaxlib', 'flax', 'optax', 'pgx', 'orbax', 'numpy', 'duckdb', 'rich'};"
        "print(sorted(bad & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# Damage: whatever becomes of a spec's bytes, lines or values, it loads or it is refused.

FUZZ = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
LINES = EXAMPLE.splitlines(keepends=True)
WORDS = st.sampled_from(
    [
        *("nan", "-inf", "true", "0", "-1", "0.1", "1e400", "2**3", "99999999999999999999"),
        *('"none"', '""', '"a:b"', '"kind"', '"eval_vs_random/win_rate"', "1979-05-27"),
        *("[]", "{}", "[[1]]", '["a", 1]', "[" * 40, "'''", '"""'),
        *("{kind=1}", '{ kind = "linear" }', "{ metric = 3 }"),
    ]
)


def survives(content):
    Path("fuzz.toml").write_bytes(content)
    try:
        load("fuzz.toml")
    except SpecError as error:
        assert error.faults
        for fault in error.faults:
            assert fault.origin is not None
            assert str(fault).isprintable()


@FUZZ
@given(st.integers(0, len(EXAMPLE) - 1), st.integers(0, 8), st.binary(max_size=8))
def test_damaged_bytes(start, length, junk):
    content = EXAMPLE.encode()
    survives(content[:start] + junk + content[start + length :])


@FUZZ
@given(st.data())
def test_damaged_lines(data):
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 4))):
        i = data.draw(st.integers(0, len(lines) - 1))
        change = data.draw(st.sampled_from(["drop", "double", "swap", "move"]))
        if change == "drop" and len(lines) > 1:
            del lines[i]
        elif change == "double":
            lines.insert(i, lines[i])
        else:
            j = data.draw(st.integers(0, len(lines) - 1))
            lines[i], lines[j] = lines[j], lines[i]
    survives("".join(lines).encode())


@FUZZ
@given(st.data())
def test_damaged_values(data):
    lines = list(LINES)
    assignments = [i for i, line in enumerate(lines) if " = " in line]
    for _ in range(data.draw(st.integers(1, 3))):
        i = data.draw(st.sampled_from(assignments))
        key = lines[i].split(" = ")[0]
        lines[i] = f"{key} = {data.draw(WORDS)}\n"
    survives("".join(lines).encode())


@FUZZ
@given(st.lists(st.tuples(st.text(max_size=10), WORDS | st.text(max_size=10)), max_size=3))
def test_damaged_overrides(pairs):
    try:
        load("spec.toml", overrides=[f"{path}={value}" for path, value in pairs])
    except SpecError as error:
        assert all(str(fault).isprintable() for fault in error.faults)


@FUZZ
@given(st.data())
def test_overrides_anywhere_of_anything(data):
    paths = []

    def visit(value, path):
        for key, child in value.items():
            paths.append((*path, key))
            if isinstance(child, dict):
                visit(child, (*path, key))

    visit(tomli.loads(EXAMPLE), ())
    path = data.draw(st.sampled_from(paths))
    below = data.draw(st.sampled_from([(), (), ("kind",), ("0",), ("x", "y")]))
    try:
        loaded = load("spec.toml", overrides=[f"{dotted((*path, *below))}={data.draw(WORDS)}"])
    except SpecError as error:
        assert all(str(fault).isprintable() for fault in error.faults)
    else:
        assert not any(isinstance(v, float) and math.isnan(v) for v in loaded.resolved.values())


def test_removals_of_what_is_needed_or_is_not_there():
    removed = {
        path: refusal(EXAMPLE, f'{path}="none"')[0]
        for path in (
            "eval.vs_rndom",
            "leage",
            "algorithm",
            "env",
            "sinks",
            "auxiliary.x",
            "runtime",
        )
    }
    nothing = '"none" removes what a file that is extended has set, and none sets this'
    assert removed == {
        "eval.vs_rndom": f'-s eval.vs_rndom="none": eval.vs_rndom: {nothing}; '
        "did you mean 'vs_random'? [nothing-to-remove]",
        "leage": "-s leage=\"none\": leage: unknown key; did you mean 'league'? [unknown-key]",
        "algorithm": '-s algorithm="none": algorithm: missing; allowed: a table of kind '
        '"ppo" or "alphazero" [missing-key]',
        "env": '-s env="none": env: missing; allowed: a table of kind "pgx" [missing-key]',
        "sinks": f'-s sinks="none": sinks: {nothing} [nothing-to-remove]',
        "auxiliary.x": f'-s auxiliary.x="none": auxiliary.x: {nothing} [nothing-to-remove]',
        "runtime": f'-s runtime="none": runtime: {nothing} [nothing-to-remove]',
    }


def test_what_is_removed_has_its_default_again():
    overrides = ['optimizer="none"', 'eval="none"', 'expect="none"', 'checkpoint="none"']
    loaded = load("spec.toml", overrides=[*overrides, 'algorithm.entropy_coeff="none"'])
    assert loaded.experiment.optimizer == AdamW()
    assert loaded.experiment.checkpoint == Checkpoint()
    assert (loaded.experiment.expect, dict(loaded.experiment.eval)) == ((), {})
    assert loaded.experiment.algorithm.entropy_coeff == 0.01


@pytest.mark.parametrize("key", ["name", "tags"])
def test_what_can_never_be_named_is_refused(key):
    value = '"latest"' if key == "name" else '["ok", "latest"]'
    (fault,) = refusal(EXAMPLE, f"{key}={value}")
    assert fault.endswith(
        '"latest" always means the newest run, whatever runs are called; '
        "allowed: another name [reserved-name]"
    )
    for name in ("Latest", "latest-1", "best", "20261122-100000-abcdef", "none"):
        right = f'"{name}"' if key == "name" else f'["{name}"]'
        assert load("spec.toml", overrides=[f"{key}={right}"])
