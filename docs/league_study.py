"""Was a recalled opponent really forgotten? Plays a run's past selves against its entries.

    jaxpot run specs/ttt_league.toml -s checkpoint.every=20 -s checkpoint.keep_last=100
    python docs/league_study.py [RUN] [--runs-dir DIR] [--entries A,B] [--agents N,N] [--games N]

A checkpoint of the iterations that name an entry holds the network that was frozen, so every match
is between two checkpoints. Both sample their moves; each moves first in half of the games.
"""

import argparse
from pathlib import Path

import jax

from jaxpot.checkpoints import restore_network, select_checkpoint
from jaxpot.evaluators.play import play_games
from jaxpot.evaluators.players import policy_player
from jaxpot.loop.context import build_context
from jaxpot.loop.record import read_record
from jaxpot.models.base import Variables
from jaxpot.spec import from_resolved
from jaxpot.store.runs import find


def main() -> None:
    """Plays every agent against every entry, and prints the mean rewards with standard errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", default="latest")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    parser.add_argument("--entries", default="160,140")
    parser.add_argument("--agents", default="260,300,340,380,400,440,500")
    parser.add_argument("--games", type=int, default=65_536)
    options = parser.parse_args()

    folder = find(options.runs_dir, options.run).path
    context = build_context(from_resolved(read_record(folder).spec), options.runs_dir)
    shapes = jax.eval_shape(lambda: context.network.init(jax.random.key(0)))

    def network_after(iterations: str):
        path = select_checkpoint(folder, iterations).path
        return Variables(*restore_network(path, shapes.params, shapes.model_state))

    @jax.jit
    def match(agent, entry, key):
        players = [
            policy_player(context.env, context.network, each, greedy=False)
            for each in (agent, entry)
        ]
        returns = play_games(context.env, *players, key, num_games=options.games).returns
        return returns.mean(), returns.std() / options.games**0.5

    entries = options.entries.split(",")
    print("after", *(f"iter_{int(entry):06d}" for entry in entries), sep="\t")
    for number, agent in enumerate(options.agents.split(",")):
        cells = []
        for entry in entries:
            # The same key for every entry of a row: differences are the opponents', not the draw's.
            mean, error = match(network_after(agent), network_after(entry), jax.random.key(number))
            cells.append(f"{mean:+.4f} ({error:.4f})")
        print(agent, *cells, sep="\t")


if __name__ == "__main__":
    main()
