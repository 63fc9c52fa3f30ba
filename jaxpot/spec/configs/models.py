"""Configs of the networks, and what other sections need to know of a model."""

from typing import Any, ClassVar, Literal

import attrs

from jaxpot.spec.configs.parts import ImportedPart
from jaxpot.spec.fields import INT32_MAX, option

Activation = Literal["relu", "tanh", "gelu", "silu"]
ValueHead = Literal["plain", "tanh"]
DType = Literal["float32", "bfloat16"]

# What the fields of several networks share.
_WIDTHS: dict[str, Any] = {"ge": 1, "le": INT32_MAX, "max_items": 64}
_SIZE: dict[str, Any] = {"ge": 1, "le": INT32_MAX}
_DEPTH: dict[str, Any] = {"ge": 1, "le": 1000}
_VALUE_HEAD: dict[str, Any] = {
    "default": "plain",
    "doc": "Whether the value is the last layer's output as it is, or its tanh, in (-1, 1).",
}
_DROPOUT: dict[str, Any] = {
    "default": 0.0,
    "ge": 0,
    "lt": 1,
    "complement": True,
    "doc": "Share of the features before the heads that a training step zeroes.",
}
_DTYPE: dict[str, Any] = {
    "default": "float32",
    "doc": "Type that the trunk computes in. Parameters, statistics, the heads and a memory's "
    "state are float32.",
}
_MEMORY: dict[str, Any] = {
    "default": None,
    "doc": "A cell between the trunk and the heads that remembers earlier moves of the game.",
}
_FILTERS = "Channels of every convolution in the trunk."
_BLOCKS = "Residual blocks of two convolutions each."
_NORM = "LayerNorm over channels before each ReLU, or nothing."


@attrs.frozen(kw_only=True)
class Memory:
    """A recurrent cell between a network's trunk and its heads.

    `lstm` is long short-term memory with a forget gate (Hochreiter and Schmidhuber 1997; Gers et
    al. 2000, https://doi.org/10.1162/089976600300015015). `gru` is a gated recurrent unit (Cho et
    al. 2014, https://arxiv.org/abs/1406.1078) whose reset gate follows the product. Each seat of
    each game has its own state, which starts at zero. Over a board, the trunk's filters pass
    through one dense layer of `hidden_size` before the cell.
    """

    kind: Literal["lstm", "gru"] = option(doc="Which cell.")
    hidden_size: int = option(
        default=64, **_SIZE, doc="Numbers that the cell carries, and gives to the heads."
    )


@attrs.frozen(kw_only=True)
class MLP:
    """A multilayer perceptron on the flattened observation, with a policy and a value head."""

    kind: ClassVar[str] = "mlp"

    hidden_dims: tuple[int, ...] = option(
        default=(64, 64), **_WIDTHS, doc="Width of each hidden layer."
    )
    activation: Activation = option(default="relu", doc="Nonlinearity after each hidden layer.")
    memory: Memory | None = option(**_MEMORY)
    value_head: ValueHead = option(**_VALUE_HEAD, later=True)
    dropout: float = option(**_DROPOUT, later=True)
    dtype: DType = option(**_DTYPE, later=True)


@attrs.frozen(kw_only=True)
class ResidualMLP:
    """Residual feed-forward blocks on the flattened observation, normalised before each block.

    The blocks are those of Lee et al. 2024, section 4 (https://arxiv.org/abs/2410.09754).
    """

    kind: ClassVar[str] = "residual_mlp"

    width: int = option(
        default=64,
        **_SIZE,
        doc="Width of the sum that the blocks add to; inside a block it is four times that.",
    )
    num_blocks: int = option(default=2, **_DEPTH, doc="Residual blocks of two layers each.")
    activation: Activation = option(default="relu", doc="Nonlinearity within each block.")
    memory: Memory | None = option(**_MEMORY)
    value_head: ValueHead = option(**_VALUE_HEAD)
    dropout: float = option(**_DROPOUT)
    dtype: DType = option(**_DTYPE)


@attrs.frozen(kw_only=True)
class Conv:
    """Plain 3x3 convolutions over a board, without normalisation, and globally pooled heads.

    It needs an observation of shape `[H, W, C]`.
    """

    kind: ClassVar[str] = "conv"
    needs_board: ClassVar[bool] = True

    num_filters: int = option(default=32, **_SIZE, doc="Channels of every convolution.")
    num_layers: int = option(default=2, **_DEPTH, doc="Convolutions, one after the other.")
    activation: Activation = option(default="relu", doc="Nonlinearity after each convolution.")
    memory: Memory | None = option(**_MEMORY)
    value_head: ValueHead = option(**_VALUE_HEAD)
    dropout: float = option(**_DROPOUT)
    dtype: DType = option(**_DTYPE)


@attrs.frozen(kw_only=True)
class ResNet:
    """A pre-activation residual network (He et al. 2016, https://arxiv.org/abs/1603.05027).

    It needs an observation of shape `[H, W, C]`, uses LayerNorm, and pools globally.
    """

    kind: ClassVar[str] = "resnet"
    needs_board: ClassVar[bool] = True

    num_filters: int = option(default=64, **_SIZE, doc=_FILTERS)
    num_blocks: int = option(default=4, **_DEPTH, doc=_BLOCKS)
    norm: Literal["layer", "none"] = option(default="layer", later=True, doc=_NORM)
    memory: Memory | None = option(**_MEMORY)
    value_head: ValueHead = option(**_VALUE_HEAD, later=True)
    dropout: float = option(**_DROPOUT, later=True)
    dtype: DType = option(**_DTYPE, later=True)


@attrs.frozen(kw_only=True)
class AZNet:
    """The network of AlphaGo Zero (Silver et al. 2017, https://doi.org/10.1038/nature24270).

    Residual blocks with batch normalisation and, without a memory, a small convolution before
    each head. It needs an observation of shape `[H, W, C]`. The normalisation's running statistics
    are part of the run's state: training updates them, play and evaluation only read them.
    """

    kind: ClassVar[str] = "az_net"
    needs_board: ClassVar[bool] = True

    num_filters: int = option(default=64, **_SIZE, doc=_FILTERS)
    num_blocks: int = option(default=4, **_DEPTH, doc=_BLOCKS)
    version: Literal["v1", "v2"] = option(
        default="v2",
        doc="Where a block normalises and rectifies: v1 after its convolutions (He et al. 2015, "
        "https://arxiv.org/abs/1512.03385), v2 before them (https://arxiv.org/abs/1603.05027).",
    )
    memory: Memory | None = option(**_MEMORY)
    value_head: ValueHead = option(**{**_VALUE_HEAD, "default": "tanh"})
    dropout: float = option(**_DROPOUT)
    dtype: DType = option(**_DTYPE)


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
        default=2, **_DEPTH, doc="Blocks of attention and a feed-forward layer."
    )
    num_heads: int = option(default=4, **_DEPTH, doc="Heads of each attention.")
    head_dim: int = option(
        default=16, **_SIZE, doc="Width of a head; a token has `num_heads` times that."
    )
    activation: Activation = option(
        default="relu", doc="Nonlinearity within each feed-forward layer."
    )
    memory: Memory | None = option(**_MEMORY)
    value_head: ValueHead = option(**_VALUE_HEAD)
    dropout: float = option(**_DROPOUT)
    dtype: DType = option(**_DTYPE)


ModelConfig = MLP | ResidualMLP | Conv | ResNet | AZNet | Transformer | ImportedPart

FORMER_KINDS = {
    "lstm": 'kind = "mlp", hidden_dims = [64], memory = { kind = "lstm", hidden_size = 64 }',
    "gru": 'kind = "mlp", hidden_dims = [64], memory = { kind = "gru", hidden_size = 64 }',
    "resnet_lstm": 'kind = "resnet", num_filters = 32, num_blocks = 2, '
    'memory = { kind = "lstm", hidden_size = 64 }',
    "transformer_lstm": 'kind = "transformer", memory = { kind = "lstm", hidden_size = 64 }',
}
"""Kinds that became the option `memory`, each with its former defaults in the new form."""


def is_recurrent(config: Any) -> bool | None:
    """Return whether a model carries state from one decision to the next.

    A user's own class has an attribute `recurrent` if it does; None if it was not imported.
    """
    if isinstance(config, ImportedPart):
        own = config.config
        return None if own is None else bool(getattr(own, "recurrent", False))
    return getattr(config, "memory", None) is not None


def needs_board(config: Any) -> bool:
    """Return whether a built-in model takes one array `[H, W, C]` and nothing else."""
    return getattr(config, "needs_board", False)


def model_streams(config: Any) -> tuple[str, ...]:
    """Return the random streams that a built-in model draws from in training."""
    return ("dropout",) if config.dropout > 0 else ()
