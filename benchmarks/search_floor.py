"""The floor of AlphaZero: self-play and updates on mctx, pgx and optax, with no jaxpot around it.

Like `floor_loop.py` for PPO, it does the work that a run of the same spec does, with the same keys:
a Gumbel search before every move, games reset where they end, the last iterations' rows kept,
epochs of minibatches. It uses that the two players take turns, that only ends are paid and that
pgx pays nothing behind them; jaxpot does not. It keeps neither the search's value nor its
entropies, which a run records. Of jaxpot it takes the spec's values, and the board network where
the spec asks for one; the MLP is written out. It covers what the shipped specs use.

    python benchmarks/search_floor.py specs/ttt_alphazero.toml --iterations 50

Axis letters: T steps, N lanes, B rows, A actions, R iterations that are kept.
"""

import argparse
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mctx
import optax
import pgx
from floor_parts import masked_log_softmax, minibatches, mlp, rate, shuffle, stream
from jax import Array

from jaxpot.models.base import Variables
from jaxpot.spec import Experiment, load
from jaxpot.spec.registry import implementation


class Rows(NamedTuple):
    """A rollout's rows, `[B, ...]`, or `[R, B, ...]` of the iterations that are kept."""

    observation: Array
    legal: Array
    weights: Array
    target: Array
    known: Array
    valid: Array


class State(NamedTuple):
    """What goes from iteration to iteration."""

    params: Any
    statistics: Any
    opt: Any
    kept: Rows
    key: Array
    t: Array


class Keys(NamedTuple):
    """The keys of an iteration: the chain's next, and those of what draws."""

    following: Array
    play: Array
    search: Array
    shuffle: Array


class SearchNet(NamedTuple):
    """A network's functions; `statistics` are its untrained variables."""

    init: Callable[[Array], tuple[Any, Any]]
    play: Callable[[Any, Any, Array], tuple[Array, Array]]
    """`(params, statistics, observation) -> (logits, value)`."""
    train: Callable[[Any, Any, Array, Array], tuple[Array, Array, Any]]
    """`(params, statistics, observation, mask) -> (logits, value, statistics)`."""


def make_net(config: Any, shape: tuple[int, ...], num_actions: int) -> SearchNet:
    """Writes an MLP out, or takes jaxpot's own AlphaGo Zero network.

    Both start from the parameters that a run starts from: a search goes as deep as its network is
    sure of itself, so other parameters would be other work.

    Raises:
        ValueError: It is neither, or has options that are not written out.
    """
    if config.kind == "mlp":
        if config.activation != "relu" or config.value_head != "plain" or config.dropout:
            raise ValueError("the floor's MLP is a plain one, with ReLUs and without dropout")
    elif config.kind != "az_net":
        raise ValueError(f"the floor has no {config.kind}")
    network = implementation(config)(config, observation_shape=shape, num_actions=num_actions)
    if config.kind == "mlp":
        _, apply = mlp(config.hidden_dims, shape, num_actions)

        def init(key: Array) -> tuple[Any, Any]:
            params = network.init(key).params
            hidden = [params["hidden"][str(i)] for i in range(len(config.hidden_dims))]
            layers = [*hidden, params["policy"], params["value"]]
            return [(each["kernel"], each["bias"]) for each in layers], {}

        return SearchNet(
            init=init,
            play=lambda params, _, x: apply(params, x),
            train=lambda params, statistics, x, _: (*apply(params, x), statistics),
        )

    def train(params: Any, statistics: Any, x: Array, mask: Array) -> tuple[Array, Array, Any]:
        outputs, statistics = network.train(Variables(params, statistics), x, rows=mask)
        return outputs.logits, outputs.value, statistics

    def init_pair(key: Array) -> tuple[Any, Any]:
        drawn = network.init(key)
        return drawn.params, drawn.model_state

    def play(params: Any, statistics: Any, x: Array) -> tuple[Array, Array]:
        return network.apply(Variables(params, statistics), x)

    return SearchNet(init=init_pair, play=play, train=train)


class SearchFloor:
    """The floor of one experiment, with its state between segments.

    Attributes:
        state: After `done` iterations.
        collect: `(params, statistics, key, search_key) -> rows`, not jitted.
        learn: `(params, statistics, opt, rows, key, t) -> (params, statistics, opt, losses)`,
            likewise.
    """

    def __init__(self, experiment: Experiment) -> None:
        config: Any = experiment.algorithm
        lanes: Any = experiment.collect.selfplay
        if experiment.collect.random is not None or config.policy != "gumbel_muzero":
            raise ValueError("this floor is one of self-play alone, by Gumbel's search")
        if experiment.collect.start != "fresh":
            raise ValueError("this floor begins new games at every iteration")
        if config.value_target != "outcome":
            raise ValueError("this floor's values learn the outcome")
        game = pgx.make(experiment.env.id)
        dealt = jax.eval_shape(game.init, jax.random.key(0))
        net = make_net(experiment.model, dealt.observation.shape, dealt.legal_action_mask.shape[0])
        self.collect = make_collect(
            game, net, config, num_envs=lanes.num_envs, num_steps=experiment.collect.num_steps
        )
        self.learn = make_learn(net, config, experiment.optimizer)
        root = jax.random.key(experiment.seed)

        def init() -> State:
            params, statistics = net.init(stream(root, "init", 0))
            opt = _rule(experiment.optimizer, 0.0).init(params)
            rows = jax.eval_shape(self.collect, params, statistics, root, root)
            kept = jax.tree.map(
                lambda x: jnp.zeros((config.replay_iterations, *x.shape), x.dtype), rows
            )
            # Copies: a fresh optimizer state holds one buffer twice, and it is donated.
            return jax.tree.map(jnp.copy, State(params, statistics, opt, kept, root, jnp.int32(0)))

        def keys_of(state: State) -> Keys:
            following, play, *_ = jax.random.split(jax.random.fold_in(state.key, state.t), 5)
            search = jax.random.fold_in(stream(root, "search", state.t), 0)
            return Keys(following, play, search, stream(root, "shuffle", state.t))

        self._keys_of = jax.jit(keys_of)

        def iteration(state: State) -> tuple[State, Any]:
            t = state.t
            keys = keys_of(state)
            rows = self.collect(state.params, state.statistics, keys.play, keys.search)
            kept = jax.tree.map(
                lambda old, new: old.at[t % config.replay_iterations].set(new), state.kept, rows
            )
            params, statistics, opt, losses = self.learn(
                state.params, state.statistics, state.opt, kept, keys.shuffle, t
            )
            return State(params, statistics, opt, kept, keys.following, t + 1), losses

        self._program = jax.jit(iteration, donate_argnums=0)
        self.state = jax.jit(init)()
        self.done = 0

    @property
    def compiles(self) -> int:
        """How often the iteration has been compiled."""
        return self._program._cache_size()

    def keys(self) -> Keys:
        """Returns the keys of the next iteration."""
        return self._keys_of(self.state)

    def run(self, iterations: int) -> float:
        """Runs so many iterations and returns their wall-clock seconds."""
        started = time.perf_counter()
        metrics = []
        for _ in range(iterations):
            self.state, losses = self._program(self.state)
            metrics.append(losses)
        jax.block_until_ready((self.state, metrics[-1]))
        self.done += iterations
        return time.perf_counter() - started


def make_collect(
    game: Any, net: SearchNet, config: Any, *, num_envs: int, num_steps: int
) -> Callable[..., Rows]:
    """Returns `(params, statistics, key, search_key) -> rows`."""

    def bare(state: Any) -> Any:
        return dataclasses.replace(state, observation=jnp.zeros(0, jnp.bool_))

    def deal(key: Array) -> Any:
        return bare(game.init(key))

    def reset_step(state: Any, action: Array, key: Array) -> Any:
        keys = jax.random.split(key)
        after = bare(game.step(state, action, keys[0]))
        over = after.terminated | after.truncated
        following = jax.tree.map(lambda a, b: jax.lax.select(over, a, b), deal(keys[1]), after)
        return following, after.rewards, over

    def judge(guide: Any, state: Any) -> tuple[Array, Array, Array]:
        observation = jax.vmap(game._observe)(state, state.current_player)
        logits, value = net.play(*guide, observation)
        legal = jnp.where(state.legal_action_mask, logits, jnp.finfo(logits.dtype).min)
        return observation, legal, value

    def paid(rewards: Array, seat: Array) -> Array:
        return jnp.where(seat == 0, rewards[:, 0], rewards[:, 1])

    def branch(guide: Any, key: Array, action: Array, state: Any) -> tuple[Any, Any]:
        seat = state.current_player
        state = jax.vmap(lambda s, a: bare(game.step(s, a)))(state, action)
        over = state.terminated
        _, logits, value = judge(guide, state)
        found: Any = mctx.RecurrentFnOutput
        output = found(
            reward=paid(state.rewards, seat),
            discount=jnp.where(over, 0.0, -1.0),
            prior_logits=logits,
            value=jnp.where(over, 0.0, value),
        )
        return output, state

    def collect(params: Any, statistics: Any, key: Array, search_key: Array) -> Rows:
        guide = params, statistics
        reset_key, play_key = jax.random.split(key)
        start = jax.vmap(deal)(jax.random.split(reset_key, num_envs))

        def step(state: Any, keys: Any) -> Any:
            env_key, act_key = jax.random.split(keys[0], 3)[2], jax.random.split(keys[1])[0]
            seat, legal = state.current_player, state.legal_action_mask
            observation, logits, value = judge(guide, state)
            root: Any = mctx.RootFnOutput
            found = mctx.gumbel_muzero_policy(
                guide,
                jax.random.key_data(act_key),
                root(prior_logits=logits, value=value, embedding=state),
                branch,
                config.num_simulations,
                invalid_actions=~legal,
                max_num_considered_actions=config.max_num_considered_actions,
                gumbel_scale=config.gumbel_scale,
            )
            state, rewards, over = jax.vmap(reset_step)(
                state, found.action, jax.random.split(env_key, num_envs)
            )
            return state, (observation, legal, found.action_weights, paid(rewards, seat), over)

        keys = (jax.random.split(play_key, num_steps), jax.random.split(search_key, num_steps))
        _, (observation, legal, weights, reward, over) = jax.lax.scan(step, start, keys)

        def back(carry: Any, row: Any) -> Any:
            following, known = carry
            reward, over = row
            target, known = reward - jnp.where(over, 0.0, following), known | over
            return (target, known), (target, known)

        nothing = jnp.zeros(num_envs), jnp.zeros(num_envs, jnp.bool_)
        _, (target, known) = jax.lax.scan(back, nothing, (reward, over), reverse=True)
        rows = Rows(observation, legal, weights, target, known, jnp.ones_like(known))
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), rows)

    return collect


def make_learn(net: SearchNet, config: Any, optimizer: Any) -> Callable[..., Any]:
    """Returns `(params, statistics, opt, rows, key, t) -> (params, statistics, opt, losses)`."""

    def loss(params: Any, statistics: Any, rows: Rows, mask: Array) -> Any:
        logits, value, statistics = net.train(params, statistics, rows.observation, mask)
        log_probs = jnp.where(rows.legal, masked_log_softmax(logits, rows.legal), 0.0)
        policy = _mean(-(rows.weights * log_probs).sum(-1), mask)
        error = config.value_coeff * _mean((value - rows.target) ** 2, mask & rows.known)
        return policy + error, (statistics, {"policy_loss": policy, "value_loss": error})

    def learn(
        params: Any, statistics: Any, opt: Any, kept: Rows, key: Array, t: Array
    ) -> tuple[Any, Any, Any, Any]:
        rule = _rule(optimizer, rate(optimizer.learning_rate, t))
        rows = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), kept)

        def step(carry: Any, taken: Rows, mask: Array) -> Any:
            params, statistics, opt, sums = carry
            (_, (statistics, terms)), grads = jax.value_and_grad(loss, has_aux=True)(
                params, statistics, taken, mask
            )
            changes, opt = rule.update(grads, opt, params)
            params = optax.apply_updates(params, changes)
            return params, statistics, opt, jax.tree.map(jnp.add, sums, terms)

        sums = dict.fromkeys(["policy_loss", "value_loss"], jnp.float32(0))
        (params, statistics, opt, sums), steps = minibatches(
            step,
            (params, statistics, opt, sums),
            rows,
            order=shuffle(key, rows.valid),
            num_valid=rows.valid.sum(),
            batch_size=config.batch_size,
            num_epochs=config.num_epochs,
        )
        return params, statistics, opt, jax.tree.map(lambda x: x / steps, sums)

    return learn


def _rule(config: Any, learning_rate: Any) -> optax.GradientTransformation:
    if config.kind != "adamw" or config.accumulate_steps != 1:
        raise ValueError("the floor's optimizer is AdamW, at every minibatch")
    rule = optax.adamw(
        learning_rate,
        b1=config.b1,
        b2=config.b2,
        eps=config.eps,
        weight_decay=config.weight_decay,
    )
    limit = config.max_grad_norm
    return rule if limit is None else optax.chain(optax.clip_by_global_norm(limit), rule)


def _mean(x: Array, mask: Array) -> Array:
    return jnp.where(mask, x, 0.0).sum() / jnp.maximum(mask.sum(), 1)


def main() -> None:
    """Runs the floor alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spec", type=Path)
    parser.add_argument("-s", dest="overrides", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--iterations", type=int, default=50)
    options = parser.parse_args()
    floor = SearchFloor(load(options.spec, overrides=options.overrides).experiment)
    print(f"first iteration, compiling included: {floor.run(1):.2f} s")
    seconds = floor.run(options.iterations)
    print(f"{1e3 * seconds / options.iterations:.2f} ms an iteration")


if __name__ == "__main__":
    main()
