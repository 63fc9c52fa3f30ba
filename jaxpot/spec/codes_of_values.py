"""The fault codes of single values: keys, types, ranges, kinds, games."""

from typing import Final

from jaxpot.spec.faults import Code

VALUE_CODES: Final = (
    # Keys.
    Code(
        "unknown-key",
        "A key or a section is not part of a spec.",
        "Every key is known; nothing is ignored. The message lists the keys that are allowed in "
        "this table.",
        '[optimizer]\nkind = "adamw"\nlearning_rte = 1e-3',
        '[optimizer]\nkind = "adamw"\nlearning_rate = 1e-3',
    ),
    Code(
        "missing-key",
        "A key or a section that has no default is not there.",
        "What has no default is given: `name`, `iterations`, `[env]`, `[model]`, `[algorithm]`, "
        "`[collect]`, and in a table the keys that the reference marks as required.",
        '[eval.sparring]\nkind = "random"\nnum_games = 512',
        '[eval.sparring]\nkind = "random"\nevery = 50\nnum_games = 512',
    ),
    Code(
        "nothing-to-remove",
        'The string "none" stands where nothing is that could be removed.',
        'In place of a table or an array `"none"` removes what the files that a spec extends have '
        "there, as though they had not; in place of a value it means no value, where the reference "
        "says so.",
        'eval = { vs_rnd = "none" }',
        'expect = "none"\neval = { vs_random = "none" }\ncheckpoint = { best = "none" }',
    ),
    Code(
        "empty-table",
        "An empty table changes nothing.",
        "A table is merged, key by key, into the one that it stands over; without keys it changes "
        'nothing of it. The string "none" in its place removes the table.',
        "eval = {}",
        'expect = "none"\neval = "none"\ncheckpoint = { best = "none" }',
    ),
    # Single values.
    Code(
        "wrong-type",
        "A value has another type than its key takes.",
        'Nothing is converted: 3.7 is no integer, "false" is no boolean, 1 is no boolean. Only '
        "an integer may stand for a float.",
        "iterations = 300.0",
        "iterations = 300",
    ),
    Code(
        "not-finite",
        "A number is NaN or infinite.",
        "Every number of a spec is finite.",
        '[algorithm]\nkind = "ppo"\ngamma = nan',
        '[algorithm]\nkind = "ppo"\ngamma = 0.99',
    ),
    Code(
        "not-float32",
        "A number is lost in the float32 that the program computes in.",
        "A number, and what the program makes of it and of others (1 - tau, gamma * gae_lambda, "
        "the first step of a warm-up), is neither infinite nor zero as float32 where it is not in "
        "the spec, keeps its bounds, and still has an effect. The message has the numbers that "
        "hold. Bounds of gates and the numbers of sinks are not part of the program.",
        '[optimizer]\nkind = "adamw"\nlearning_rate = 1e-46',
        '[optimizer]\nkind = "adamw"\nlearning_rate = 1e-32\nweight_decay = 0.1',
    ),
    Code(
        "out-of-range",
        "A value is outside of what its key takes.",
        "The message has the bounds. An iteration of a gate counts from 0 and lies in the run.",
        '[algorithm]\nkind = "ppo"\ngamma = 1.5',
        '[algorithm]\nkind = "ppo"\ngamma = 0.99',
    ),
    Code(
        "not-divisible",
        "A number is not divisible as its key needs it.",
        "Environments and games against an opponent are even in number: the network moves first "
        "in one half of them and second in the other.",
        '[eval.vs_random]\nkind = "random"\nevery = 50\nnum_games = 511',
        '[eval.vs_random]\nkind = "random"\nevery = 50\nnum_games = 512',
    ),
    Code(
        "unknown-choice",
        "A string is none of those that its key takes.",
        "The message lists them; they are lower-case.",
        '[algorithm]\nkind = "ppo"\nshuffle = "minibatch"',
        '[algorithm]\nkind = "ppo"\nshuffle = "epoch"',
    ),
    Code(
        "bad-name",
        "A name has characters that names do not have.",
        "Experiments and tags are named in letters, digits, `.`, `_` and `-`, at most 100 of them, "
        "the first a letter or a digit; evaluators, whose names become payload keys, and sinks in "
        "lower-case letters, digits and `_`, the first a letter. An evaluator of kind `checkpoint` "
        "names its opponent by a run, as any command does, and by `latest`, `best`, `milestone:N` "
        "or `N`, iterations done.",
        'name = "tic tac toe"',
        'name = "tic_tac_toe"',
    ),
    Code(
        "reserved-name",
        "A name means something else wherever a run is named.",
        "A run is named by its uid, the start of one, its name, one of its tags, or `latest`, the "
        "newest run. An experiment or a tag that is called `latest` could never be named.",
        'name = "latest"',
        'name = "latest-net"',
    ),
    Code(
        "duplicate-item",
        "An array has an item twice.",
        "Tags differ from one another.",
        'tags = ["baseline", "baseline"]',
        'tags = ["baseline"]',
    ),
    # Kinds and users' own parts.
    Code(
        "missing-kind",
        "A part does not say which kind it is.",
        "A table that can be one of several things says which by its key `kind`; the name of a "
        "sink's table may say it instead.",
        "[optimizer]\nlearning_rate = 1e-3",
        '[optimizer]\nkind = "adamw"\nlearning_rate = 1e-3',
    ),
    Code(
        "unknown-kind",
        "There is no such kind of this part.",
        "The message lists the kinds. A class of your own is named by its import path, "
        '`kind = "package.module:Name"`, for environments, models, algorithms, evaluators, sinks.',
        '[model]\nkind = "perceptron"',
        '[model]\nkind = "mlp"',
    ),
    Code(
        "missing-extra",
        "A part needs a package that is not installed here.",
        "What only some specs need is installed with an extra of jaxpot's, which the message has. "
        "`check`, `run` and `resume` look for it before anything is made, without importing it.",
        "$ pip install jaxpot",
        "$ pip install 'jaxpot[tensorboard,wandb]'",
    ),
    Code(
        "bad-import-path",
        "A kind looks like an import path but is none.",
        "An import path is `package.module:Name`: a module's dotted name, a colon, and a class of "
        "that module.",
        '[model]\nkind = "my_package/nets:Net"',
        '[model]\nkind = "mlp"',
    ),
    Code(
        "import-failed",
        "A class of your own cannot be imported.",
        "The module is on Python's path (installed, or its folder in PYTHONPATH), imports without "
        "an error, and has the class. Only `run`, `resume` and `check --import` import it.",
        '[model]\nkind = "no_such_package:Net"',
        '[model]\nkind = "mlp"',
    ),
    Code(
        "import-class",
        "What an import path names cannot be a part.",
        "A part is an attrs class with a method `build(...)`; its fields are the keys of the "
        "part's table.",
        '[model]\nkind = "decimal:Decimal"',
        '[model]\nkind = "mlp"',
    ),
    Code(
        "import-refused",
        "A class of your own refuses its table.",
        "The class's own validators and converters raised an error; the message has it.",
        "$ jaxpot check --import spec.toml -s model.width=-1",
        "$ jaxpot check --import spec.toml -s model.width=16",
    ),
    # Games.
    Code(
        "unknown-game",
        "pgx has no such game.",
        "`id` is one of pgx's ids for a game of two players; the message lists them.",
        '[env]\nkind = "pgx"\nid = "tictactoe"',
        '[env]\nkind = "pgx"\nid = "tic_tac_toe"',
    ),
    Code(
        "unsupported-players",
        "The game is not for two players.",
        "Self-play is between two seats; games for one and for three are not supported.",
        '[env]\nkind = "pgx"\nid = "2048"',
        '[env]\nkind = "pgx"\nid = "tic_tac_toe"',
    ),
    Code(
        "needs-board-observation",
        "The model needs a board, which this game's observation is not.",
        "Networks over a board need an observation of shape [H, W, C]. A perceptron takes any, "
        "with memory (lstm, gru) or without (mlp, residual_mlp).",
        '[env]\nkind = "pgx"\nid = "kuhn_poker"\n[model]\nkind = "resnet"',
        '[env]\nkind = "pgx"\nid = "tic_tac_toe"\n[model]\nkind = "resnet"',
    ),
    Code(
        "needs-both-views",
        "The history of a game that only the player to move can see.",
        "With `history` above 1 a player is shown earlier positions as they looked from its own "
        "seat, those before the other player's moves too. Backgammon shows a position to the "
        "player to move only.",
        '[env]\nkind = "pgx"\nid = "backgammon"\nhistory = 2',
        '[env]\nkind = "pgx"\nid = "backgammon"\naction_history = 2',
    ),
    Code(
        "needs-hands",
        "An auxiliary loss asks for a hand in a game that has none to tell.",
        "A loss of kind `opponent_hand` needs a game of hidden cards that jaxpot can look into.",
        '[env]\nkind = "pgx"\nid = "connect_four"\n[auxiliary.opponent_hand]',
        '[env]\nkind = "pgx"\nid = "kuhn_poker"\n[auxiliary.opponent_hand]',
    ),
    Code(
        "repeated-target",
        "Two auxiliary losses learn the same thing.",
        "A network has one head for each thing that it learns to tell. Two losses of one kind, or "
        "of classes with the same attribute `target`, would share theirs.",
        '[auxiliary.game_progress]\n[auxiliary.again]\nkind = "game_progress"',
        "[auxiliary.game_progress]\ncoeff = 0.2",
    ),
    Code(
        "game-tree-unsupported",
        "The game has no tree that an evaluator could follow.",
        "A `game_tree` evaluator needs a game without chance and without hidden information.",
        '[env]\nkind = "pgx"\nid = "kuhn_poker"\n[eval.exact]\nkind = "game_tree"\nevery = 50',
        '[env]\nkind = "pgx"\nid = "tic_tac_toe"\n[eval.exact]\nkind = "game_tree"\nevery = 50',
    ),
    Code(
        "game-tree-too-large",
        "The game has more positions than a `game_tree` evaluator may follow.",
        "The message has an estimate of the number of positions; `max_positions` is the limit.",
        '[env]\nkind = "pgx"\nid = "connect_four"\n[eval.exact]\nkind = "game_tree"\nevery = 50',
        '[env]\nkind = "pgx"\nid = "tic_tac_toe"\n[eval.exact]\nkind = "game_tree"\nevery = 50',
    ),
)
