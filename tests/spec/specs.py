"""Specs as plain data, drawn by hypothesis: every one of them is valid."""

from hypothesis import strategies as st

from jaxpot.spec import from_resolved, payload_keys
from jaxpot.spec.pgx_games import GAMES

SMALL = {
    "name": "small",
    "iterations": 10,
    "env": {"kind": "pgx", "id": "tic_tac_toe"},
    "model": {"kind": "mlp"},
    "algorithm": {"kind": "ppo", "batch_size": 8},
    "collect": {"num_steps": 9, "selfplay": {"num_envs": 4}},
}
"""The least that a spec says."""

FULL = {
    **SMALL,
    "description": 'Says "everything", \\ and é.',
    "seed": 7,
    "iterations": 300,
    "tags": ["a", "b"],
    "model": {"kind": "resnet", "num_filters": 8, "num_blocks": 1},
    "algorithm": {
        "kind": "ppo",
        "batch_size": 8,
        "gamma": 1,
        "value_clip": True,
        "entropy_coeff": {
            "kind": "cosine",
            "init": 0.01,
            "end": 0,
            "iterations": 100,
            "warmup": 3,
        },
        "shuffle": "epoch",
    },
    "optimizer": {
        "kind": "sgd",
        "learning_rate": {"kind": "constant", "value": 0.1, "warmup": 2},
        "momentum": 0.9,
        "nesterov": True,
        "max_grad_norm": 1.0,
    },
    "collect": {
        "num_steps": 9,
        "selfplay": {"num_envs": 4, "opponent": "target"},
        "random": {"num_envs": 2, "until": 50},
        "league": {"num_envs": 8},
        "archive": {"num_envs": 4},
    },
    "league": {
        "size": 3,
        "add_every": 40,
        "fill_every": 20,
        "temperature": 1,
        "score_alpha": 0.25,
        "base_unit": 2,
        "archive_size": 6,
        "forgotten_margin": -0.125,
        "log_every": 5,
    },
    "target": {"tau": 0.5, "every": 2},
    "eval": {
        "vs_random": {"kind": "random", "every": 50, "num_games": 64, "greedy": False},
        "tree": {"kind": "game_tree", "every": 100},
        "archive": {"kind": "archive", "every": 30, "num_games": 16, "greedy": True},
        "rival": {
            "kind": "checkpoint",
            "every": 60,
            "num_games": 32,
            "run": "other",
            "checkpoint": "milestone:200",
            "greedy": True,
        },
    },
    "checkpoint": {
        "every": 20,
        "milestone_every": 100,
        "best": {"metric": "eval_tree/lost", "mode": "min"},
    },
    "expect": [
        {"metric": "eval_vs_random/win_rate", "min": 0.5},
        {"metric": "train_vs_random/reward", "at": "any", "min": 0, "max": 1},
        {"metric": "eval_tree/p0/lost", "at": 99, "max": 0},
    ],
    "runtime": {"nproc": 2, "profile_every": 0},
}
"""Something in every section."""


def some(draw, **strategies):
    """Draws a table that has some of the keys."""
    return {key: draw(each) for key, each in strategies.items() if draw(st.booleans())}


def numbers(low=0, high=10, **options):
    """Floats that float32 holds, in every formula too, and integers that stand for them."""
    whole = range(int(low) + bool(options.get("exclude_min")), int(high))
    floats = st.floats(low, high, width=32, **options).filter(lambda x: not 0 < abs(x) < 1e-4)
    return st.one_of(floats, st.sampled_from([*whole] or [0.5]))


def or_none(values):
    """Values, or what stands for none."""
    return st.one_of(values, st.just("none"))


positive = numbers(exclude_min=True)
counts = st.integers(1, 50)
identifiers = st.from_regex(r"\A[a-z][a-z0-9_]{0,5}\Z")
names = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,9}\Z")


@st.composite
def schedules(draw):
    """Schedules, and numbers in their stead."""
    warmup = draw(st.integers(0, 9))
    kind = draw(st.sampled_from(["number", "constant", "linear", "cosine"]))
    if kind == "number":
        return draw(positive)
    if kind == "constant":
        return {"kind": kind, "value": draw(positive), **some(draw, warmup=st.just(warmup))}
    iterations = draw(st.integers(warmup + 1, 100))
    ends = {"init": draw(positive), "end": draw(numbers())}
    return {"kind": kind, **ends, "iterations": iterations, "warmup": warmup}


@st.composite
def optimizers(draw):
    """Optimizers of every kind."""
    kind = draw(st.sampled_from(["adamw", "adam", "sgd"]))
    table = some(
        draw, learning_rate=schedules(), max_grad_norm=or_none(positive), accumulate_steps=counts
    )
    if kind == "sgd":
        momentum = draw(numbers(0, 1, exclude_max=True))
        nesterov = draw(st.booleans()) and momentum > 0
        return {"kind": kind, "momentum": momentum, "nesterov": nesterov, **table}
    betas = numbers(0, 1, exclude_max=True)
    table |= some(draw, b1=betas, b2=betas, eps=positive)
    return {
        "kind": kind,
        **table,
        **(some(draw, weight_decay=numbers()) if kind == "adamw" else {}),
    }


@st.composite
def algorithms(draw, most_rows):
    """PPO with minibatches that an iteration can fill."""
    table = some(
        draw,
        num_epochs=counts,
        gamma=numbers(0, 1),
        gae_lambda=numbers(0, 1),
        clip_eps=positive,
        clip_range=st.sampled_from(["log", "linear"]),
        value_clip=st.one_of(st.booleans(), numbers()),
        value_coeff=numbers(),
        kl_coeff=numbers(),
        entropy_coeff=schedules(),
        normalize_advantage=st.booleans(),
        shuffle=st.sampled_from(["iteration", "epoch"]),
    )
    return {"kind": "ppo", "batch_size": draw(st.integers(1, most_rows)), **table}


@st.composite
def evaluators(draw, game):
    """Evaluators that the game admits."""
    if game == "tic_tac_toe" and draw(st.booleans()):
        tree = {"kind": "game_tree", "every": draw(counts)}
        return {**tree, **some(draw, max_positions=st.integers(5478, 10**6))}
    games = {
        "every": draw(counts),
        "num_games": 2 * draw(counts),
        **some(draw, greedy=st.booleans()),
    }
    if draw(st.booleans()):
        return {"kind": "random", **games}
    chosen = some(draw, checkpoint=st.from_regex(r"\A(latest|best|(milestone:)?[0-9]{1,4})\Z"))
    return {"kind": "checkpoint", "run": draw(names), **games, **chosen}


@st.composite
def sinks(draw):
    """Sinks of every kind."""
    kind = draw(st.sampled_from(["tensorboard", "wandb", "jsonl"]))
    if kind != "wandb":
        return {"kind": kind, **some(draw, folder=or_none(names))}
    words = some(draw, project=or_none(names), entity=names, group=names)
    tags = some(draw, tags=st.lists(names, max_size=2, unique=True))
    return {"kind": kind, **words, **tags, **some(draw, mode=st.just("online"))}


@st.composite
def debugs(draw):
    """Samples at some cadence."""
    return {"every": draw(counts), **some(draw, samples=counts, keep_last=counts)}


@st.composite
def auxiliaries(draw, game):
    """At most one loss of each kind that the game admits."""
    kinds = ["game_progress", *(["opponent_hand"] if GAMES[game].hand_size else [])]
    chosen = draw(st.dictionaries(identifiers, st.sampled_from(kinds), max_size=3))
    names = {kind: name for name, kind in chosen.items()}
    coeff = {"coeff": numbers()}
    return {name: {"kind": kind, **some(draw, **coeff)} for kind, name in names.items()}


@st.composite
def leagues(draw):
    """Leagues, with the collectors and the evaluator that play them."""
    unit = 2 * draw(st.integers(1, 9))
    league = some(
        draw,
        fill_every=or_none(counts),
        temperature=st.floats(1e-6, 10),
        score_alpha=numbers(0, 1, exclude_min=True),
        forgotten_margin=numbers(),
        log_every=counts,
    )
    league |= {
        "size": draw(counts),
        "add_every": draw(counts),
        "base_unit": unit,
        "archive_size": draw(counts),
    }
    envs = counts.map(lambda groups: {"num_envs": unit * groups})
    archive = {"kind": "archive", "every": draw(counts), "num_games": 2 * draw(counts)}
    return {
        "league": league,
        "collect": some(draw, league=envs, archive=envs),
        "eval": {"archive": {**archive, **some(draw, greedy=st.booleans())}},
    }


@st.composite
def experiments(draw):
    """Valid specs over every section."""
    game = draw(st.sampled_from(sorted(GAMES)))
    models = [{"kind": "mlp", **some(draw, hidden_dims=st.lists(counts, max_size=3))}]
    if len(GAMES[game].observation_shape) == 3:
        models.append({"kind": "resnet", **some(draw, num_filters=counts, num_blocks=counts)})
    collect = {"num_steps": draw(counts), "selfplay": {"num_envs": draw(counts)}}
    if draw(st.booleans()):
        random = some(draw, until=or_none(counts))
        collect["random"] = {"num_envs": 2 * draw(counts), **random}
    if draw(st.booleans()):
        collect["selfplay"] |= {"num_envs": 2 * draw(counts), "opponent": "target"}
    # Against the target only every second row is trained on.
    rows = max(1, collect["num_steps"] * collect["selfplay"]["num_envs"] // 2)
    games = draw(st.dictionaries(identifiers, evaluators(game), max_size=3))
    league = draw(leagues()) if draw(st.booleans()) else {"collect": {}, "eval": {}}
    sections = {"collect": collect | league.pop("collect"), "eval": games | league.pop("eval")}
    if draw(st.booleans()) or collect["selfplay"].get("opponent"):
        tau = draw(numbers(0, 1, exclude_min=True))
        sections["target"] = {"tau": tau, **some(draw, every=counts)}
    # A league is played from the second iteration after the warm-up on.
    until = collect.get("random", {}).get("until", "none")
    least = (0 if until == "none" else until) + 2 if "league" in sections["collect"] else 1
    data = {
        "name": draw(names),
        "iterations": draw(st.integers(least, 200 + least)),
        "env": {
            "kind": "pgx",
            "id": game,
            **some(draw, history=counts if GAMES[game].both_views else st.just(1)),
            **some(draw, action_history=st.integers(0, 9)),
        },
        "model": draw(st.sampled_from(models)),
        "algorithm": draw(algorithms(rows)),
        **sections,
        **league,
        **some(
            draw,
            description=st.text(max_size=20),
            seed=st.integers(0, 2**32 - 1),
            tags=st.lists(names, max_size=3, unique=True),
            optimizer=optimizers(),
            auxiliary=auxiliaries(game),
            sinks=st.dictionaries(identifiers, sinks(), max_size=3),
            debug=or_none(debugs()),
        ),
        "runtime": some(
            draw,
            deterministic=st.booleans(),
            nproc=or_none(counts),
            profile_every=st.integers(0, 9),
            compilation_cache=st.booleans(),
        ),
    }
    checkpoint = some(
        draw, every=or_none(counts), keep_last=counts, milestone_every=or_none(counts)
    )
    keys = [
        key for key in payload_keys(from_resolved(data)) if key.cadence.first(data["iterations"])
    ]
    if keys and draw(st.booleans()):
        key = draw(st.sampled_from(keys))
        best = some(draw, mode=st.sampled_from(["max", "min"]), keep=counts)
        checkpoint["best"] = {"metric": key.name, "every": key.every, **best}
    gates = [draw(gates_on(key, data["iterations"])) for key in keys[: draw(st.integers(0, 3))]]
    return {**data, "checkpoint": checkpoint, "expect": gates}


@st.composite
def gates_on(draw, key, iterations):
    """Gates on a key that is there at some iteration."""
    bound = {draw(st.sampled_from(["min", "max"])): draw(st.floats(-9, 9))}
    at = ["any", "best"]
    if key.when is None:
        at.append(key.cadence.first(iterations))
    if key.when is None and key.cadence.fires(iterations - 1):
        at.append("last")
    gate = {"metric": key.name, "at": draw(st.sampled_from(at)), **bound}
    if gate["at"] != "any" and draw(st.booleans()):
        statistic = draw(st.sampled_from(["mean", "median", "min", "max"]))
        gate |= {"seeds": draw(st.integers(2, 1000)), "statistic": statistic}
    return gate


def leaves(data, path=()):
    """Every path of plain data to something that is no table with keys, with its value."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from leaves(value, (*path, key))
    elif isinstance(data, list) and any(isinstance(item, dict) for item in data):
        for index, item in enumerate(data):
            yield from leaves(item, (*path, index))
    else:
        yield path, data


def changed(data, path, value):
    """A deep copy of plain data with one path set."""
    if not path:
        return value
    head, *rest = path
    if isinstance(data, list):
        return [changed(x, rest, value) if i == head else x for i, x in enumerate(data)]
    return {**data, head: changed(data.get(head, {}), rest, value)}


def at(data, path):
    """The value of plain data at a path."""
    for key in path:
        data = data[key]
    return data
