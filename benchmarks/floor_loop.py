"""The floor: PPO self-play as one hand-fused jitted function, with no jaxpot around it.

It does the work that a run of the same spec does, and nothing else: the same keys (RNG contract v1)
and rows (contract v2), rollouts, advantages, losses, epochs, minibatches and optimizer; no phase
graph, no digests, no guard, no recording, no checkpoints, no evaluations, and every metric stays on
the device. Of jaxpot it takes the spec's values, and the ResNet where the spec asks for one; the
MLP is written out. It covers what the shipped specs use (PPO, AdamW or Adam, a shuffle an
iteration).

    python benchmarks/floor_loop.py specs/ttt.toml --iterations 300

Axis letters: T steps, N lanes, B rows, A actions.
"""

import argparse
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pgx
from floor_parts import chosen, masked_log_softmax, minibatches, mlp, rate, resnet, shuffle, stream
from jax import Array

from jaxpot.spec import Experiment, load


class Rows(NamedTuple):
    """A rollout's rows, `[T, N, ...]`, or `[B, ...]` once they are one batch."""

    observation: Array
    legal: Array
    action: Array
    log_prob: Array
    value: Array
    advantage: Array
    target: Array
    valid: Array


def make_floor(experiment: Experiment) -> tuple[Callable[[], Any], Callable[[bool], Any]]:
    """Returns `init() -> state` and `program(random) -> jitted (state) -> (state, metrics)`.

    `random` says whether the iteration collects against random moves as well.
    """
    ppo, optim, collect = experiment.algorithm, experiment.optimizer, experiment.collect
    game = pgx.make(experiment.env.id)
    dealt = jax.eval_shape(game.init, jax.random.key(0))
    shape, num_actions = dealt.observation.shape, dealt.legal_action_mask.shape[0]
    if experiment.model.kind == "mlp":
        net_init, net = mlp(experiment.model.hidden_dims, shape, num_actions)
    else:
        net_init, net = resnet(experiment.model, shape, num_actions)
    root = jax.random.key(experiment.seed)
    num_steps, batch_size = collect.num_steps, ppo.batch_size
    value_clip = ppo.clip_eps if ppo.value_clip is True else float(ppo.value_clip)

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

    def begin(key: Array, num_envs: int) -> Any:
        state = jax.vmap(deal)(jax.random.split(key, num_envs))
        first = jnp.arange(num_envs) < num_envs // 2
        agent = jnp.where(first, state.current_player, 1 - state.current_player)
        return state, agent, jnp.zeros((num_envs, 2))

    def rollout(
        key: Array, params: Any, games: Any, new: Array, versus_random: bool
    ) -> tuple[Rows, Any, Any]:
        reset_key, play_key = jax.random.split(key)
        num_envs = len(games[1])
        start = begin(reset_key, num_envs)
        if collect.start == "carried":
            start = jax.tree.map(lambda a, b: jnp.where(new, a, b), start, games)
        first = jnp.arange(num_envs) < num_envs // 2
        seat_of = lambda mover: jnp.where(first, mover, 1 - mover)  # noqa: E731

        def step(carry: Any, key: Array) -> Any:
            state, agent, returns = carry
            act_key, other_key, env_key = jax.random.split(key, 3)
            seat, legal = state.current_player, state.legal_action_mask
            observation = jax.vmap(game._observe)(state, seat)
            logits, value = net(params, observation)
            log_probs = masked_log_softmax(logits, legal)
            action = jax.random.categorical(act_key, log_probs).astype(jnp.int32)
            log_prob = chosen(log_probs, action)
            if versus_random:
                count = legal.sum(-1, dtype=jnp.int32)
                rank = jax.random.randint(other_key, count.shape, 0, count)
                other = jnp.argmax(jnp.cumsum(legal, -1, dtype=jnp.int32) > rank[:, None], -1)
                action = jnp.where(seat == agent, action, other.astype(jnp.int32))
            state, reward, over = jax.vmap(reset_step)(
                state, action, jax.random.split(env_key, num_envs)
            )
            row = (observation, legal, action, log_prob, value, seat, reward, over)
            if not versus_random:
                return (state, agent, returns), (row, ())
            returns = returns + reward
            won = jnp.where(agent == 0, returns[:, 0], returns[:, 1])
            extra = (seat == agent, jnp.where(over, won, 0.0).sum())
            agent = jnp.where(over, seat_of(state.current_player), agent)
            return (state, agent, jnp.where(over[:, None], 0.0, returns)), (row, extra)

        games, (row, extra) = jax.lax.scan(step, start, jax.random.split(play_key, num_steps))
        observation, legal, action, log_prob, value, seat, reward, over = row
        state, agent, _ = games
        mover = state.current_player
        own = net(params, jax.vmap(game._observe)(state, mover))[1][:, None]
        moves = mover[:, None] == jnp.arange(2)
        cut = jnp.where(moves, own, -own)
        known = jnp.ones((num_envs, 2), jnp.bool_)
        if versus_random:
            known = moves & (agent[:, None] == jnp.arange(2))
        advantage, known = gae(value, reward, over, seat, cut, known)
        rows = Rows(
            observation=observation,
            legal=legal,
            action=action,
            log_prob=log_prob,
            value=value,
            advantage=advantage,
            target=advantage + value,
            valid=known & extra[0] if versus_random else known,
        )
        counts = {"episodes": over.sum(), "samples": rows.valid.sum()}
        if versus_random:
            counts["reward"] = extra[1].sum() / over.sum()
        return rows, counts, games

    def gae(value: Array, reward: Array, over: Array, seat: Array, cut: Array, known: Array) -> Any:
        def back(carry: Any, row: Any) -> Any:
            next_value, next_advantage, pending, known = carry
            value, reward, over, seat = row
            going = ~over[:, None]
            next_value, next_advantage = next_value * going, next_advantage * going
            pending = pending * going + reward
            known = known | ~going
            of = lambda both: jnp.where(seat == 0, both[:, 0], both[:, 1])  # noqa: E731
            delta = of(pending) + ppo.gamma * of(next_value) - value
            advantage = delta + ppo.gamma * ppo.gae_lambda * of(next_advantage)
            acted, known_now = seat[:, None] == jnp.arange(2), of(known)
            carry = (
                jnp.where(acted, value[:, None], next_value),
                jnp.where(acted, jnp.where(known_now, advantage, 0.0)[:, None], next_advantage),
                jnp.where(acted, 0.0, pending),
                known | acted,
            )
            return carry, (advantage, known_now)

        zeros = jnp.zeros_like(cut)
        start = (cut, zeros, zeros, known)
        return jax.lax.scan(back, start, (value, reward, over, seat), reverse=True)[1]

    def loss(params: Any, rows: Rows, mask: Array, entropy_coeff: Any) -> Any:
        count = jnp.maximum(mask.sum(), 1)
        mean = lambda x: jnp.where(mask, x, 0.0).sum() / count  # noqa: E731
        logits, value = net(params, rows.observation)
        log_probs = masked_log_softmax(logits, rows.legal)
        advantage = rows.advantage
        if ppo.normalize_advantage:
            centered = advantage - mean(advantage)
            advantage = centered * jax.lax.rsqrt(mean(centered**2) + 1e-8)
        log_ratio = jnp.where(mask, chosen(log_probs, rows.action) - rows.log_prob, 0.0)
        ratio = jnp.exp(log_ratio)
        clipped = jnp.clip(ratio, 1.0 / (1.0 + ppo.clip_eps), 1.0 + ppo.clip_eps)
        error = (value - rows.target) ** 2
        if value_clip:
            near = rows.value + jnp.clip(value - rows.value, -value_clip, value_clip)
            error = jnp.maximum(error, (near - rows.target) ** 2)
        legal_log_probs = jnp.where(rows.legal, log_probs, 0.0)
        entropy = -jnp.where(rows.legal, jnp.exp(legal_log_probs) * legal_log_probs, 0.0).sum(-1)
        terms = {
            "policy_loss": -mean(jnp.minimum(ratio * advantage, clipped * advantage)),
            "value_loss": ppo.value_coeff * 0.5 * mean(error),
            "entropy_loss": -entropy_coeff * mean(entropy),
            "kl_loss": ppo.kl_coeff * mean(ratio - 1.0 - log_ratio),
        }
        total = sum(terms.values())
        return total, {**terms, "total_loss": total, "clipfrac": mean(ratio != clipped)}

    def adam(params: Any, opt: Any, grads: Any, learning_rate: Any) -> Any:
        mu, nu, count = opt
        norm = jnp.sqrt(sum((g**2).sum() for g in jax.tree.leaves(grads)))
        limit = optim.max_grad_norm
        scale = 1.0 if limit is None else jnp.where(norm < limit, 1.0, limit / norm)
        count = count + 1
        bias1, bias2 = 1.0 - optim.b1**count, 1.0 - optim.b2**count
        decay = getattr(optim, "weight_decay", 0.0)
        mu = jax.tree.map(lambda m, g: optim.b1 * m + (1 - optim.b1) * scale * g, mu, grads)
        nu = jax.tree.map(lambda n, g: optim.b2 * n + (1 - optim.b2) * (scale * g) ** 2, nu, grads)
        params = jax.tree.map(
            lambda p, m, n: (
                p - learning_rate * (m / bias1 / (jnp.sqrt(n / bias2) + optim.eps) + decay * p)
            ),
            params,
            mu,
            nu,
        )
        clipped = norm if limit is None else jnp.minimum(norm, limit)
        return params, (mu, nu, count), {"grad_norm": norm, "grad_norm_clipped": clipped}

    def learn(params: Any, opt: Any, rows: Rows, key: Array, t: Array, all_valid: bool) -> Any:
        learning_rate, entropy_coeff = rate(optim.learning_rate, t), rate(ppo.entropy_coeff, t)
        num_valid = rows.valid.shape[0] if all_valid else rows.valid.sum()

        def step(carry: Any, taken: Rows, mask: Array) -> Any:
            params, opt, sums = carry
            (_, terms), grads = jax.value_and_grad(loss, has_aux=True)(
                params, taken, mask, entropy_coeff
            )
            params, opt, norms = adam(params, opt, grads, learning_rate)
            return params, opt, jax.tree.map(jnp.add, sums, {**terms, **norms})

        names = ["policy_loss", "value_loss", "entropy_loss", "kl_loss", "total_loss", "clipfrac"]
        sums = dict.fromkeys([*names, "grad_norm", "grad_norm_clipped"], jnp.float32(0))
        (params, opt, sums), steps = minibatches(
            step,
            (params, opt, sums),
            rows,
            order=shuffle(key, rows.valid),
            num_valid=num_valid,
            batch_size=batch_size,
            num_epochs=ppo.num_epochs,
        )
        return params, opt, jax.tree.map(lambda x: x / steps, sums)

    def iteration(state: Any, random: bool) -> Any:
        params, opt, key, t, games = state
        games = dict(games)
        key, k_self, k_random, _, _ = jax.random.split(jax.random.fold_in(key, t), 5)
        parts, metrics = [], {}
        if collect.selfplay is not None:
            rows, metrics["selfplay"], games["selfplay"] = rollout(
                k_self, params, games["selfplay"], t == 0, False
            )
            parts.append(rows)
        if random:
            rows, metrics["random"], games["random"] = rollout(
                k_random, params, games["random"], t == 0, True
            )
            parts.append(rows)
        flat = [jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), part) for part in parts]
        batch = jax.tree.map(lambda *xs: jnp.concatenate(xs), *flat)
        params, opt, metrics["losses"] = learn(
            params, opt, batch, stream(root, "shuffle", t), t, all_valid=not random
        )
        return (params, opt, key, t + 1, games), metrics

    @jax.jit
    def init() -> Any:
        params = net_init(stream(root, "init", 0))
        mu, nu = (jax.tree.map(jnp.zeros_like, params) for _ in range(2))
        played = {"selfplay": collect.selfplay, "random": collect.random}
        games = {
            name: jax.tree.map(
                lambda x: jnp.zeros(x.shape, x.dtype),
                jax.eval_shape(lambda key, n=each.num_envs: begin(key, n), root),
            )
            for name, each in played.items()
            if each is not None
        }
        return params, (mu, nu, jnp.float32(0)), root, jnp.int32(0), games

    def program(random: bool) -> Any:
        return jax.jit(lambda state: iteration(state, random), donate_argnums=0)

    return init, program


class Floor:
    """The floor of one experiment, with its state between segments."""

    def __init__(self, experiment: Experiment) -> None:
        random = experiment.collect.random
        self._until = random.until if random is not None else 0
        self._always_random = random is not None and random.until is None
        init, program = make_floor(experiment)
        self._programs = {random: program(random) for random in (False, True)}
        self.state = init()
        self.done = 0

    @property
    def compiles(self) -> int:
        """How often an iteration has been compiled."""
        return sum(program._cache_size() for program in self._programs.values())

    def run(self, iterations: int) -> float:
        """Runs so many iterations and returns their wall-clock seconds."""
        started = time.perf_counter()
        metrics = []
        for t in range(self.done, self.done + iterations):
            random = self._always_random or t < (self._until or 0)
            self.state, kept = self._programs[random](self.state)
            metrics.append(kept)
        jax.block_until_ready((self.state, metrics[-1]))
        self.done += iterations
        return time.perf_counter() - started


def main() -> None:
    """Runs the floor alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spec", type=Path)
    parser.add_argument("-s", dest="overrides", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--segments", type=int, default=5)
    options = parser.parse_args()
    floor = Floor(load(options.spec, overrides=options.overrides).experiment)
    first = floor.run(1)
    print(f"first iteration, compiling included: {first:.2f} s")
    each = max(1, options.iterations // options.segments)
    for _ in range(options.segments):
        start = floor.done
        seconds = floor.run(each)
        print(f"iterations {start}..{floor.done - 1}: {1e3 * seconds / each:.2f} ms an iteration")


if __name__ == "__main__":
    main()
