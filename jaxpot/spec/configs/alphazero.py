"""Config of AlphaZero, and the payload keys that its updates emit."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import attrs

from jaxpot.spec.fields import INT32_MAX, Derived, option
from jaxpot.spec.keys import PayloadKey

_GUMBEL_OPTIONS = ("gumbel_scale",)
_MUZERO_OPTIONS = ("dirichlet_fraction", "dirichlet_alpha", "temperature")


GUMBEL = "gumbel_muzero"


@attrs.frozen(kw_only=True)
class Search:
    """A Monte Carlo tree search over the real game, without noise, guided by the network."""

    policy: Literal["gumbel_muzero", "muzero"] = option(
        default=GUMBEL,
        doc="How moves are chosen: by sequential halving (Danihelka et al. 2022, "
        "https://openreview.net/forum?id=bERaNdoegnO), or by PUCT and visit counts.",
    )
    num_simulations: int = option(
        default=32, ge=1, le=1_000_000, doc="Positions that a search adds to its tree."
    )
    max_num_considered_actions: int | None = option(
        default=None,
        ge=1,
        le=INT32_MAX,
        doc="Most moves that `gumbel_muzero` tries at the root; 16 if absent.",
    )
    gamma: float = option(default=1.0, ge=0, le=1, doc="Discount of a later reward, per move.")

    def __attrs_post_init__(self) -> None:
        if self.policy == GUMBEL:
            fill(self, max_num_considered_actions=16)

    def unused(self) -> Mapping[str, str]:
        """Return the options that are given in vain, each with what takes its effect away."""
        names = () if self.policy == GUMBEL else ("max_num_considered_actions",)
        return given(self, names, because=f'policy = "{self.policy}"')


def fill(config: Any, **defaults: Any) -> None:
    """Return the options without a value the one that they have where they have an effect."""
    for name, default in defaults.items():
        if getattr(config, name) is None:
            object.__setattr__(config, name, default)


def given(config: Any, names: tuple[str, ...], *, because: str) -> Mapping[str, str]:
    """Return those of the named options that have a value, each with the same reason."""
    return {name: because for name in names if getattr(config, name) is not None}


@attrs.frozen(kw_only=True)
class AlphaZero(Search):
    """AlphaZero (Silver et al. 2018, https://doi.org/10.1126/science.aar6404).

    The network plays and learns by a search through the real game, which has neither chance nor
    hidden information and is zero-sum.
    """

    kind: ClassVar[str] = "alphazero"
    searches: ClassVar[bool] = True

    gumbel_scale: float | None = option(
        default=None,
        ge=0,
        doc="Scale of the noise by which `gumbel_muzero` samples moves at the root; 1 if absent.",
    )
    dirichlet_fraction: float | None = option(
        default=None,
        ge=0,
        le=1,
        complement=True,
        doc="Share of noise in the policy at the root under `muzero`; 0.25 if absent.",
    )
    dirichlet_alpha: float | None = option(
        default=None, gt=0, doc="Concentration of that noise; 0.3 if absent."
    )
    temperature: float | None = option(
        default=None,
        ge=0,
        doc="`muzero` plays a move in proportion to its visits to the power of 1 / temperature, "
        "at 0 the most visited one; 1 if absent.",
    )
    opponent_acting: Literal["network", "search"] = option(
        default="network",
        doc="How the league's and the archive's entries and the target act: by their network, or "
        "by a search of their own.",
    )
    value_target: Literal["outcome", "n_step", "lambda"] = option(
        default="outcome",
        doc="What values learn: the sum of the rewards to the game's end, known of games "
        "that end within the iteration or, carried on, while their rows are kept; or rewards that "
        "go on with the searches' values.",
    )
    n_step: int | None = option(
        default=None,
        ge=1,
        le=10_000,
        doc="Own moves after which `n_step` bootstraps from a search's value; 3 if absent.",
    )
    td_lambda: float | None = option(
        default=None,
        ge=0,
        le=1,
        doc="What `lambda` mixes: the search's value after the next own move (0) to the game's "
        "end (1); 0.8 if absent.",
    )
    value_coeff: float = option(default=1.0, ge=0, doc="Weight of the value loss.")
    num_epochs: int = option(
        default=1, ge=1, le=INT32_MAX, doc="Passes over the rows that are trained on."
    )
    batch_size: int = option(
        default=2048, ge=1, le=INT32_MAX, unit="rows", doc="Rows in a minibatch."
    )
    shuffle: Literal["iteration", "epoch"] = option(
        default="iteration", doc="Whether rows are shuffled once an iteration or each epoch."
    )
    replay_iterations: int = option(
        default=1,
        ge=1,
        le=10_000,
        unit="iterations",
        doc="Iterations whose rows are trained on, the newest included: 1 for only that.",
    )

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.policy == GUMBEL:
            fill(self, gumbel_scale=1.0)
        else:
            fill(self, dirichlet_fraction=0.25, temperature=1.0)
            if self.dirichlet_fraction:
                fill(self, dirichlet_alpha=0.3)
        if self.value_target == "n_step":
            fill(self, n_step=3)
        elif self.value_target == "lambda":
            fill(self, td_lambda=0.8)

    def derived_numbers(self) -> Iterator[Derived]:
        """Yield what an update computes of these numbers."""
        if self.td_lambda and self.gamma:
            yield Derived(
                "td_lambda", self.td_lambda, "gamma * td_lambda", lambda x: self.gamma * x
            )

    def unused(self) -> Mapping[str, str]:
        """Return the options that are given in vain, each with what takes its effect away."""
        gumbel = self.policy == GUMBEL
        policy, target = f'policy = "{self.policy}"', f'value_target = "{self.value_target}"'
        own = {"n_step": ("n_step",), "lambda": ("td_lambda",)}
        others = tuple(x for name, each in own.items() if name != self.value_target for x in each)
        unused = {
            **super().unused(),
            **given(self, _MUZERO_OPTIONS if gumbel else _GUMBEL_OPTIONS, because=policy),
            **given(self, others, because=target),
        }
        if not gumbel and self.dirichlet_fraction == 0:
            unused |= given(self, ("dirichlet_alpha",), because="dirichlet_fraction = 0")
        return unused


_KEYS = (
    ("iteration/learning_rate", "", "Learning rate of this iteration's updates."),
    ("total_loss", "", "Sum of the weighted losses."),
    ("value_loss", "", "Mean squared error of the values whose target is known, weighted."),
    ("policy_loss", "nats", "Cross-entropy of the network's policy against the search's."),
    ("search_kl", "nats", "Divergence of the network's policy from the search's."),
    ("search_entropy", "nats", "Mean entropy of the search's policy."),
    ("policy_entropy", "nats", "Mean entropy of the network's policy."),
    ("search_value", "reward", "Mean value of the positions by the search."),
    ("value_known", "fraction", "Rows whose value has a target."),
    ("grad_norm", "", "Global norm of the gradient, before clipping."),
    ("grad_norm_clipped", "", "Global norm of the gradient, after clipping."),
)


def alphazero_keys(config: AlphaZero, prefix: str) -> tuple[PayloadKey, ...]:
    """Return the keys of AlphaZero's update: means over its minibatches, and its schedule's."""
    del config, prefix
    return tuple(
        PayloadKey(name=name, dtype="float", unit=unit, doc=doc, phase="training")
        for name, unit, doc in _KEYS
    )


def replayed(config: AlphaZero) -> int:
    """Return how many iterations' rows are learned from."""
    return config.replay_iterations
