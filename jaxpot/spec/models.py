"""Configs of the networks that play."""

from typing import ClassVar, Literal

import attrs

from jaxpot.spec.fields import INT32_MAX, option
from jaxpot.spec.parts import ImportedPart


@attrs.frozen(kw_only=True)
class MLP:
    """A multilayer perceptron on the flattened observation, with a policy and a value head."""

    kind: ClassVar[str] = "mlp"

    hidden_dims: tuple[int, ...] = option(
        default=(64, 64), ge=1, le=INT32_MAX, max_items=64, doc="Width of each hidden layer."
    )
    activation: Literal["relu", "tanh", "gelu", "silu"] = option(
        default="relu", doc="Nonlinearity behind each hidden layer."
    )


@attrs.frozen(kw_only=True)
class ResNet:
    """A pre-activation residual network (He et al. 2016, https://arxiv.org/abs/1603.05027).

    It needs an observation of shape `[H, W, C]`, uses LayerNorm, and pools globally.
    """

    kind: ClassVar[str] = "resnet"

    num_filters: int = option(
        default=64, ge=1, le=INT32_MAX, doc="Channels of every convolution in the trunk."
    )
    num_blocks: int = option(
        default=4, ge=1, le=1000, doc="Residual blocks of two convolutions each."
    )


ModelConfig = MLP | ResNet | ImportedPart
