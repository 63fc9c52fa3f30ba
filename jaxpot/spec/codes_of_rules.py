"""The fault codes of rules across fields: collectors, opponents, schedules, metrics."""

from typing import Final

from jaxpot.spec.faults import Code

RULE_CODES: Final = (
    Code(
        "no-collector",
        "Some iteration collects nothing.",
        "At every iteration at least one collector is on: self-play, or random games without an "
        "`until` before the run's end. The league does not count: it begins empty.",
        '[collect]\nnum_steps = 9\nselfplay = "none"\nrandom = "none"',
        "[collect]\nnum_steps = 9\n[collect.selfplay]\nnum_envs = 1024",
    ),
    Code(
        "needs-league",
        "Something plays the league or its archive, and there is no league.",
        "`[collect.league]`, `[collect.archive]` and an evaluator of kind `archive` need a "
        "`[league]` section, which says what the league holds.",
        "[collect.league]\nnum_envs = 128",
        "[collect.league]\nnum_envs = 128\n[league]\nsize = 8\nadd_every = 100",
    ),
    Code(
        "league-too-late",
        "The run ends before the league has anybody to play.",
        "The league takes its first copy at the first iteration behind the random warm-up, and is "
        "played from the next one on.",
        "[collect.random]\nnum_envs = 128\nuntil = 299\n[collect.league]\nnum_envs = 128\n"
        "[league]\nsize = 8\nadd_every = 100",
        "[collect.random]\nnum_envs = 128\nuntil = 100\n[collect.league]\nnum_envs = 128\n"
        "[league]\nsize = 8\nadd_every = 100",
    ),
    Code(
        "opponent-missing",
        "The opponent that an evaluator names is not there.",
        "An evaluator of kind `checkpoint` finds its opponent among the recorded runs, "
        "by `run` and `checkpoint`. Only `check --shapes`, `plan`, `run` and `resume` look.",
        '$ jaxpot check --shapes spec.toml -s \'eval.old={kind="checkpoint", every=5, '
        'num_games=64, run="no_such_run"}\'',
        '$ jaxpot check --shapes spec.toml -s \'eval.old={kind="checkpoint", every=5, '
        'num_games=64, run="ttt"}\'',
    ),
    Code(
        "opponent-mismatch",
        "The opponent that an evaluator names cannot be played here.",
        "It is a run of the same game, whose model this jaxpot can build: by a kind of its own, or "
        "by an import path that this spec names too; its arrays fit that model.",
        "$ jaxpot check --shapes connect_four.toml -s eval.old.run=ttt",
        "$ jaxpot check --shapes ttt.toml -s eval.old.run=ttt",
    ),
    Code(
        "needs-archive-evaluator",
        "The archive is played, but nothing says which of its entries are forgotten.",
        "`[collect.archive]` plays the archive's active entries. An evaluator of kind `archive` "
        "decides which those are, so there is at least one.",
        "[collect.archive]\nnum_envs = 128\n[league]\nsize = 8\nadd_every = 100",
        "[collect.archive]\nnum_envs = 128\n[league]\nsize = 8\nadd_every = 100\n"
        '[eval.archive]\nkind = "archive"\nevery = 50\nnum_games = 64',
    ),
    Code(
        "no-archive",
        "The archive is played or evaluated, but it holds nothing.",
        "With `[collect.archive]` or an evaluator of kind `archive`, `league.archive_size` is at "
        "least 1.",
        "[league]\nsize = 8\nadd_every = 100\narchive_size = 0\n"
        '[eval.archive]\nkind = "archive"\nevery = 50\nnum_games = 64',
        "[league]\nsize = 8\nadd_every = 100\narchive_size = 32\n"
        '[eval.archive]\nkind = "archive"\nevery = 50\nnum_games = 64',
    ),
    Code(
        "needs-target",
        "Self-play is against the target, and there is none.",
        '`collect.selfplay.opponent = "target"` needs a `[target]` section, which says how fast '
        "the target follows the network.",
        '[collect.selfplay]\nopponent = "target"',
        '[collect.selfplay]\nopponent = "target"\n[target]\ntau = 0.01',
    ),
    Code(
        "uneven-envs",
        "A collector's environments cannot be shared out evenly.",
        "The league and the archive are played by groups of `league.base_unit` environments, a "
        "group against one entry: their `num_envs` is a positive multiple of it. Against the "
        "target it is even, since the target moves first in one half of the games.",
        "[collect.league]\nnum_envs = 100\n[league]\nsize = 8\nadd_every = 100",
        "[collect.league]\nnum_envs = 128\n[league]\nsize = 8\nadd_every = 100",
    ),
    Code(
        "too-many-rows",
        "An iteration collects more rows than can be counted.",
        "`num_steps` times the environments stays below 2^31.",
        "[collect]\nnum_steps = 100_000\n[collect.selfplay]\nnum_envs = 100_000",
        "[collect]\nnum_steps = 9\n[collect.selfplay]\nnum_envs = 1024",
    ),
    Code(
        "batch-too-large",
        "A minibatch is larger than what one iteration collects.",
        "An iteration collects `num_steps` rows for each self-play environment and half as many, "
        "the network's own moves, for each one against random moves or the target. `batch_size` is "
        "at most that, at the iteration that collects least; what it collects against the league "
        "and the archive does not count, since they begin empty.",
        '[algorithm]\nkind = "ppo"\nbatch_size = 1_000_000_000',
        '[algorithm]\nkind = "ppo"\nbatch_size = 16',
    ),
    Code(
        "warmup-too-long",
        "A schedule's warm-up leaves nothing of the schedule.",
        "`warmup` is less than `iterations`, which includes it.",
        '[optimizer]\nkind = "adamw"\n'
        'learning_rate = { kind = "linear", init = 1e-3, end = 0, iterations = 9, warmup = 9 }',
        '[optimizer]\nkind = "adamw"\n'
        'learning_rate = { kind = "linear", init = 1e-3, end = 0, iterations = 9, warmup = 3 }',
    ),
    Code(
        "needs-momentum",
        "Nesterov's momentum is asked for, but there is no momentum.",
        "`nesterov = true` goes with a `momentum` above 0.",
        '[optimizer]\nkind = "sgd"\nnesterov = true',
        '[optimizer]\nkind = "sgd"\nmomentum = 0.9\nnesterov = true',
    ),
    Code(
        "several-devices",
        "Training on several devices is asked for, which is not supported yet.",
        "`runtime.devices` is 1.",
        "[runtime]\ndevices = 2",
        "[runtime]\ndevices = 1",
    ),
    # Metrics.
    Code(
        "unknown-metric",
        "Nothing in this experiment emits the metric.",
        "`checkpoint.best` and `[[expect]]` name a key of the payload; `jaxpot plan SPEC` lists "
        "them. An evaluator `[eval.x]` emits keys that start with `eval_x/`.",
        '[[expect]]\nmetric = "polcy_loss"\nmax = 1.0',
        '[[expect]]\nmetric = "policy_loss"\nmax = 1.0',
    ),
    Code(
        "metric-not-present",
        "A metric is not emitted at the iterations that are looked at.",
        "An evaluator emits at its cadence: `every = n` at the iterations t with (t + 1) divisible "
        "by n. A gate on the last iteration's value needs `iterations` divisible by it; "
        '`at = "any"` and `at = "best"` need one evaluation in the run. The league is played from '
        "the iteration after its first entry, the archive evaluated once it can have an entry. "
        "When the archive is played depends on scores, so a gate on `train_vs_archive/reward` has "
        '`at = "any"` or `at = "best"`.',
        '[[expect]]\nmetric = "train_vs_random/reward"\nat = 999_999_998\nmin = 0\n'
        "[collect.random]\nnum_envs = 2\nuntil = 1",
        '[[expect]]\nmetric = "train_vs_random/reward"\nat = "any"\nmin = 0\n'
        "[collect.random]\nnum_envs = 2\nuntil = 1",
    ),
    Code(
        "expect-bounds",
        "A gate's bounds make no sense.",
        'A gate has `min`, `max` or both, `min` at most `max`; with `at = "best"` exactly one: '
        "the best value is the highest under `min` and the lowest under `max`.",
        '[[expect]]\nmetric = "policy_loss"\nmin = 1.0\nmax = 0.0',
        '[[expect]]\nmetric = "policy_loss"\nmin = 0.0\nmax = 1.0',
    ),
    Code(
        "expect-seeds",
        "A gate's seeds, statistic and place do not go together.",
        "A `statistic` is over the runs of several seeds, so it takes `seeds` of at least 2. "
        'Each run then gives one value, so `at` is `"last"`, `"best"` or an iteration.',
        '[[expect]]\nmetric = "policy_loss"\nmax = 1.0\nstatistic = "median"',
        '[[expect]]\nmetric = "policy_loss"\nmax = 1.0\nstatistic = "median"\nseeds = 5',
    ),
)
