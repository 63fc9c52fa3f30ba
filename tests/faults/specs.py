"""The two small specs that the campaign trains: one plain, one with all that a league has."""

from pathlib import Path

from jaxpot.spec import resolved, to_toml
from tests.loop.leagues import league_experiment

LEAGUE_ITERATIONS = 26
PLAIN_ITERATIONS = 60
PLAIN = f"""
name = "plain"
seed = 7
iterations = {PLAIN_ITERATIONS}
env = {{ kind = "pgx", id = "tic_tac_toe" }}
model = {{ kind = "mlp", hidden_dims = [8] }}
algorithm = {{ kind = "ppo", num_epochs = 2, batch_size = 64, shuffle = "epoch" }}
optimizer = {{ kind = "adamw", learning_rate = 1e-3, accumulate_steps = 3 }}
collect = {{ num_steps = 9, selfplay = {{ num_envs = 32 }} }}
runtime = {{ profile_every = 0 }}

[checkpoint]
every = 10
keep_last = 2
milestone_every = 20
best = {{ metric = "total_loss", mode = "min", every = 15, keep = 2 }}
"""


def write_specs(folder: Path) -> dict[str, Path]:
    """Writes both specs, and returns their paths by name."""
    league = league_experiment(
        {"checkpoint": {"keep_last": 2, "milestone_every": 12}}, iterations=LEAGUE_ITERATIONS
    )
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"plain": PLAIN, "league": to_toml(resolved(league))}
    paths = {name: folder / f"{name}.toml" for name in texts}
    for name, text in texts.items():
        paths[name].write_text(text)
    return paths
