"""Configs of learning algorithms, and the payload keys that their updates emit."""

from typing import ClassVar, Literal

import attrs

from jaxpot.spec.fields import INT32_MAX, option
from jaxpot.spec.keys import PayloadKey
from jaxpot.spec.parts import ImportedPart
from jaxpot.spec.schedules import Schedule

TRAINING = "training"


@attrs.frozen(kw_only=True)
class PPO:
    """Proximal policy optimisation (Schulman et al. 2017, https://arxiv.org/abs/1707.06347).

    Advantages are generalised advantage estimates (https://arxiv.org/abs/1506.02438), per seat.
    """

    kind: ClassVar[str] = "ppo"

    num_epochs: int = option(default=4, ge=1, le=INT32_MAX, doc="Passes over an iteration's rows.")
    batch_size: int = option(
        default=2048, ge=1, le=INT32_MAX, unit="rows", doc="Timesteps in a minibatch."
    )
    gamma: float = option(default=0.99, ge=0, le=1, doc="Discount of a later reward, per step.")
    gae_lambda: float = option(
        default=0.95, ge=0, le=1, doc="Trade of bias (0) for variance (1) in the advantages."
    )
    clip_eps: float = option(
        default=0.2, gt=0, doc="Probability ratios are clipped to [1/(1+eps), 1+eps]."
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

    def __attrs_post_init__(self) -> None:
        # True equals 1.0 and False equals 0.0 in Python: two specs that train differently would
        # compare equal, so a boolean never stays.
        if isinstance(self.value_clip, bool):
            width = self.clip_eps if self.value_clip else 0.0
            object.__setattr__(self, "value_clip", width)


AlgorithmConfig = PPO | ImportedPart

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
    """Returns the keys of PPO's update: means over its minibatches, and its schedules' values."""
    del config, prefix
    return tuple(
        PayloadKey(name=name, dtype="float", unit=unit, doc=doc, phase=TRAINING)
        for name, unit, doc in _PPO_KEYS
    )
