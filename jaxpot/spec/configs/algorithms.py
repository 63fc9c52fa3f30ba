"""Configs of learning algorithms, and the payload keys that their updates emit."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

import attrs

from jaxpot.spec.configs.alphazero import AlphaZero, fill, given
from jaxpot.spec.configs.optimizers import Schedule
from jaxpot.spec.configs.parts import ImportedPart
from jaxpot.spec.fields import INT32_MAX, Derived, option
from jaxpot.spec.keys import PayloadKey

TRAINING = "training"


@attrs.frozen(kw_only=True)
class PPO:
    """Proximal policy optimisation (Schulman et al. 2017, https://arxiv.org/abs/1707.06347).

    Advantages are generalised advantage estimates (https://arxiv.org/abs/1506.02438), per seat.
    """

    kind: ClassVar[str] = "ppo"
    searches: ClassVar[bool] = False

    num_epochs: int = option(default=4, ge=1, le=INT32_MAX, doc="Passes over an iteration's rows.")
    batch_size: int = option(
        default=2048, ge=1, le=INT32_MAX, unit="rows", doc="Timesteps in a minibatch."
    )
    gamma: float = option(default=0.99, ge=0, le=1, doc="Discount of a later reward, per step.")
    gae_lambda: float | None = option(
        default=None,
        ge=0,
        le=1,
        doc="Trade of bias (0) for variance (1) in the advantages `gae`; 0.95 if absent.",
    )
    clip_eps: float = option(
        default=0.2, gt=0, doc="How far the ratio of new to old probability may move from 1."
    )
    clip_range: Literal["log", "linear"] = option(
        default="log",
        later=True,
        doc="What the ratio is clipped to: `log`, [1/(1+clip_eps), 1+clip_eps], symmetric in its "
        "logarithm; `linear`, [1-clip_eps, 1+clip_eps], as Schulman et al. 2017 have it.",
    )
    value_clip: bool | float = option(
        default=0.2,
        ge=0,
        doc="How far a value may move before its loss is clipped: `true` for `clip_eps`, "
        "`false` or 0 for never.",
    )
    value_coeff: float = option(default=0.5, ge=0, doc="Weight of the value loss.")
    kl_coeff: float = option(
        default=0.0, ge=0, doc="Weight of the divergence from the policy that collected."
    )
    entropy_coeff: float | Schedule = option(
        default=0.01, ge=0, doc="Weight of the entropy bonus: a number, or a schedule."
    )
    normalize_advantage: bool = option(
        default=True, doc="Whether a minibatch's advantages get mean 0 and deviation 1."
    )
    shuffle: Literal["iteration", "epoch"] = option(
        default="iteration", doc="Whether rows are shuffled once an iteration or each epoch."
    )
    seq_len: int | None = option(
        default=None,
        ge=1,
        le=INT32_MAX,
        unit="steps",
        later=True,
        doc="Steps of the sequences that a recurrent model learns from, a divisor of "
        "`collect.num_steps`; all of them if absent.",
    )
    advantage: Literal["gae", "per_seat_return"] = option(
        default="gae",
        later=True,
        doc="How good an action was: by `gae_lambda` from rewards and values; or by what the "
        "seat earned to the end of the game, in games that ended.",
    )
    vtrace: bool = option(
        default=False,
        later=True,
        doc="Whether the moves of the target and of the league's entries are learned from too, "
        "corrected by V-trace (Espeholt et al. 2018, https://arxiv.org/abs/1802.01561).",
    )

    def __attrs_post_init__(self) -> None:
        # True equals 1.0 and False equals 0.0 in Python: two specs that train differently would
        # compare equal, so a boolean never stays.
        if isinstance(self.value_clip, bool):
            width = self.clip_eps if self.value_clip else 0.0
            object.__setattr__(self, "value_clip", width)
        if self.advantage == "gae":
            fill(self, gae_lambda=0.95)

    def derived_numbers(self) -> Iterator[Derived]:
        """Yield what an update computes of these numbers."""
        yield Derived("clip_eps", self.clip_eps, "1 + clip_eps", lambda x: 1 + x)
        if self.clip_range == "log":
            yield Derived("clip_eps", self.clip_eps, "1 / (1 + clip_eps)", lambda x: 1 / (1 + x))
        else:
            yield Derived("clip_eps", self.clip_eps, "1 - clip_eps", lambda x: 1 - x)
        if self.gae_lambda and self.gamma:
            product = "gamma * gae_lambda"
            yield Derived("gae_lambda", self.gae_lambda, product, lambda x: self.gamma * x)

    def unused(self) -> Mapping[str, str]:
        """Return the options that are given in vain, each with what takes its effect away."""
        if self.advantage == "gae":
            return {}
        because = f'advantage = "{self.advantage}"'
        vtrace = {"vtrace": because} if self.vtrace else {}
        return {**given(self, ("gae_lambda",), because=because), **vtrace}


AlgorithmConfig = PPO | AlphaZero | ImportedPart

_PPO_KEYS = (
    ("iteration/learning_rate", "", "Learning rate of this iteration's updates."),
    ("total_loss", "", "Sum of the weighted losses."),
    ("value_loss", "", "Clipped value loss, times `value_coeff`."),
    ("policy_loss", "", "Clipped surrogate loss."),
    ("entropy_loss", "nats", "Negative mean entropy of the policy, times the coefficient."),
    ("kl_loss", "nats", "Divergence from the policy that collected, times `kl_coeff`."),
    ("clipfrac", "fraction", "Rows whose probability ratio was clipped."),
    ("grad_norm", "", "Global norm of the gradient, before clipping."),
    ("grad_norm_clipped", "", "Global norm of the gradient, after clipping."),
    ("entropy_coeff", "", "Entropy coefficient of this iteration's updates."),
)


def ppo_keys(config: PPO, prefix: str) -> tuple[PayloadKey, ...]:
    """Return the keys of PPO's update: means over its minibatches, and its schedules' values."""
    del config, prefix
    return tuple(
        PayloadKey(name=name, dtype="float", unit=unit, doc=doc, phase=TRAINING)
        for name, unit, doc in _PPO_KEYS
    )
