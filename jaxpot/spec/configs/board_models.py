"""Configs of the networks over a board: each needs an observation of shape `[H, W, C]`."""

from typing import ClassVar, Literal

import attrs

from jaxpot.spec.configs.model_options import (
    BLOCKS,
    DEPTH,
    DROPOUT,
    DTYPE,
    FILTERS,
    SIZE,
    UNITS,
    VALUE_HEAD,
    Activation,
    DType,
    ValueHead,
)
from jaxpot.spec.fields import option


@attrs.frozen(kw_only=True)
class Conv:
    """Plain 3x3 convolutions over a board, without normalisation, and globally pooled heads.

    It needs an observation of shape `[H, W, C]`.
    """

    kind: ClassVar[str] = "conv"
    needs_board: ClassVar[bool] = True

    num_filters: int = option(default=32, **SIZE, doc="Channels of every convolution.")
    num_layers: int = option(default=2, **DEPTH, doc="Convolutions, one behind the other.")
    activation: Activation = option(default="relu", doc="Nonlinearity behind each convolution.")
    value_head: ValueHead = option(**VALUE_HEAD)
    dropout: float = option(**DROPOUT)
    dtype: DType = option(**DTYPE)


@attrs.frozen(kw_only=True)
class ResNet:
    """A pre-activation residual network (He et al. 2016, https://arxiv.org/abs/1603.05027).

    It needs an observation of shape `[H, W, C]`, uses LayerNorm, and pools globally.
    """

    kind: ClassVar[str] = "resnet"
    needs_board: ClassVar[bool] = True

    num_filters: int = option(default=64, **SIZE, doc=FILTERS)
    num_blocks: int = option(default=4, **DEPTH, doc=BLOCKS)
    norm: Literal["layer", "none"] = option(
        default="layer", later=True, doc="LayerNorm over channels before each ReLU, or nothing."
    )
    value_head: ValueHead = option(**VALUE_HEAD, later=True)
    dropout: float = option(**DROPOUT, later=True)
    dtype: DType = option(**DTYPE, later=True)


@attrs.frozen(kw_only=True)
class AZNet:
    """The network of AlphaGo Zero (Silver et al. 2017, https://doi.org/10.1038/nature24270).

    Residual blocks with batch normalisation, and a small convolution before each head. It needs
    an observation of shape `[H, W, C]`. The normalisation's running statistics are part of the
    run's state: training moves them, play and evaluation use them as they are.
    """

    kind: ClassVar[str] = "az_net"
    needs_board: ClassVar[bool] = True

    num_filters: int = option(default=64, **SIZE, doc=FILTERS)
    num_blocks: int = option(default=4, **DEPTH, doc=BLOCKS)
    version: Literal["v1", "v2"] = option(
        default="v2",
        doc="Where a block normalises and rectifies: v1 behind its convolutions (He et al. 2015, "
        "https://arxiv.org/abs/1512.03385), v2 before them (https://arxiv.org/abs/1603.05027).",
    )
    value_head: ValueHead = option(**{**VALUE_HEAD, "default": "tanh"})
    dropout: float = option(**DROPOUT)
    dtype: DType = option(**DTYPE)


@attrs.frozen(kw_only=True)
class ResNetLSTM:
    """The trunk of a `resnet`, the cell of an `lstm`, and two heads.

    It needs an observation of shape `[H, W, C]`.
    """

    kind: ClassVar[str] = "resnet_lstm"
    needs_board: ClassVar[bool] = True
    recurrent: ClassVar[bool] = True

    num_filters: int = option(default=32, **SIZE, doc=FILTERS)
    num_blocks: int = option(default=2, **DEPTH, doc=BLOCKS)
    norm: Literal["layer", "none"] = option(
        default="layer", doc="LayerNorm over channels before each ReLU, or nothing."
    )
    hidden_size: int = option(default=64, **SIZE, doc=UNITS)
    value_head: ValueHead = option(**VALUE_HEAD)
    dropout: float = option(**DROPOUT)
    dtype: DType = option(**DTYPE)


@attrs.frozen(kw_only=True)
class Transformer:
    """A transformer over the squares of a board (Vaswani et al. 2017).

    One token a square (https://arxiv.org/abs/1706.03762, section 3), with a learned position;
    blocks normalise first (Xiong et al. 2020, https://arxiv.org/abs/2002.04745), and the heads
    read the mean over squares. It needs an observation of shape `[H, W, C]`.
    """

    kind: ClassVar[str] = "transformer"
    needs_board: ClassVar[bool] = True

    num_blocks: int = option(
        default=2, **DEPTH, doc="Blocks of attention and a feed-forward layer."
    )
    num_heads: int = option(default=4, **DEPTH, doc="Heads of each attention.")
    head_dim: int = option(
        default=16, **SIZE, doc="Width of a head; a token has `num_heads` times that."
    )
    activation: Activation = option(
        default="relu", doc="Nonlinearity within each feed-forward layer."
    )
    value_head: ValueHead = option(**VALUE_HEAD)
    dropout: float = option(**DROPOUT)
    dtype: DType = option(**DTYPE)


@attrs.frozen(kw_only=True)
class TransformerLSTM:
    """The trunk of a `transformer`, the cell of an `lstm`, and two heads.

    It needs an observation of shape `[H, W, C]`.
    """

    kind: ClassVar[str] = "transformer_lstm"
    needs_board: ClassVar[bool] = True
    recurrent: ClassVar[bool] = True

    num_blocks: int = option(
        default=2, **DEPTH, doc="Blocks of attention and a feed-forward layer."
    )
    num_heads: int = option(default=4, **DEPTH, doc="Heads of each attention.")
    head_dim: int = option(
        default=16, **SIZE, doc="Width of a head; a token has `num_heads` times that."
    )
    activation: Activation = option(
        default="relu", doc="Nonlinearity within each feed-forward layer."
    )
    hidden_size: int = option(default=64, **SIZE, doc=UNITS)
    value_head: ValueHead = option(**VALUE_HEAD)
    dropout: float = option(**DROPOUT)
    dtype: DType = option(**DTYPE)
