"""The fault codes of searches and of models with a memory."""

from typing import Final

from jaxpot.spec.faults import Code

SEARCH_CODES: Final = (
    Code(
        "search-unsupported",
        "The game cannot be searched.",
        "The algorithm `alphazero`, and an evaluator with a `search`, play the real game ahead: "
        "it has no chance and no hidden information, and one player's gain is the other's loss.",
        '[env]\nkind = "pgx"\nid = "kuhn_poker"\n'
        "[eval.vs_random]\nsearch = { num_simulations = 8 }",
        '[env]\nkind = "pgx"\nid = "othello"\n[eval.vs_random]\nsearch = { num_simulations = 8 }',
    ),
    Code(
        "needs-feed-forward",
        "A recurrent model is asked about positions that it did not play to.",
        "The algorithm `alphazero`, an evaluator with a `search` and one of kind `game_tree` look "
        "at positions out of the order of play. A recurrent model has no memory of what came "
        "before those.",
        '[algorithm]\nbatch_size = 900\n[model]\nkind = "lstm"\n'
        "[eval.vs_random]\nsearch = { num_simulations = 8 }",
        '[model]\nkind = "mlp"\n[eval.vs_random]\nsearch = { num_simulations = 8 }',
    ),
    Code(
        "uneven-sequences",
        "Sequences do not fit: into the steps, or into a minibatch.",
        "A recurrent model learns from sequences of `algorithm.seq_len` steps, which divides "
        "`collect.num_steps` and `algorithm.batch_size`; without it they are `num_steps` long.",
        '[model]\nkind = "lstm"\n[collect]\nnum_steps = 9\n'
        "[algorithm]\nseq_len = 2\nbatch_size = 90",
        '[model]\nkind = "lstm"\n[collect]\nnum_steps = 9\n'
        "[algorithm]\nseq_len = 3\nbatch_size = 90",
    ),
    Code(
        "unused-option",
        "An option is given where it has no effect.",
        "`max_num_considered_actions` and `gumbel_scale` are options of the search policy "
        "`gumbel_muzero`; `dirichlet_fraction`, `dirichlet_alpha`, where there is noise at all, "
        'and `temperature` are those of `muzero`. `n_step` goes with `value_target = "n_step"`, '
        '`td_lambda` with `"lambda"`, and `opponent_acting = "search"` with play against the '
        "league, its archive or the target; so does PPO's `vtrace`. PPO's `gae_lambda` and "
        '`vtrace` go with `advantage = "gae"`, and `seq_len` with a recurrent model.',
        '[eval.vs_random]\nsearch = { policy = "muzero", max_num_considered_actions = 8 }',
        '[eval.vs_random]\nsearch = { policy = "gumbel_muzero", max_num_considered_actions = 8 }',
    ),
)
