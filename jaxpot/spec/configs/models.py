"""Configs of the networks that play, and what others ask of any of them."""

from typing import Any, ClassVar

import attrs

from jaxpot.spec.configs.board_models import (
    AZNet,
    Conv,
    ResNet,
    ResNetLSTM,
    Transformer,
    TransformerLSTM,
)
from jaxpot.spec.configs.model_options import (
    DEPTH,
    DROPOUT,
    DTYPE,
    SIZE,
    UNITS,
    VALUE_HEAD,
    WIDTHS,
    Activation,
    DType,
    ValueHead,
)
from jaxpot.spec.configs.parts import ImportedPart
from jaxpot.spec.fields import option


@attrs.frozen(kw_only=True)
class MLP:
    """A multilayer perceptron on the flattened observation, with a policy and a value head."""

    kind: ClassVar[str] = "mlp"

    hidden_dims: tuple[int, ...] = option(
        default=(64, 64), **WIDTHS, doc="Width of each hidden layer."
    )
    activation: Activation = option(default="relu", doc="Nonlinearity behind each hidden layer.")
    value_head: ValueHead = option(**VALUE_HEAD, later=True)
    dropout: float = option(**DROPOUT, later=True)
    dtype: DType = option(**DTYPE, later=True)


@attrs.frozen(kw_only=True)
class ResidualMLP:
    """Residual feed-forward blocks on the flattened observation, normalised before each block.

    The blocks are those of Lee et al. 2024, section 4 (https://arxiv.org/abs/2410.09754).
    """

    kind: ClassVar[str] = "residual_mlp"

    width: int = option(
        default=64,
        **SIZE,
        doc="Width of what the blocks add to; inside a block it is four times that.",
    )
    num_blocks: int = option(default=2, **DEPTH, doc="Residual blocks of two layers each.")
    activation: Activation = option(default="relu", doc="Nonlinearity within each block.")
    value_head: ValueHead = option(**VALUE_HEAD)
    dropout: float = option(**DROPOUT)
    dtype: DType = option(**DTYPE)


@attrs.frozen(kw_only=True)
class LSTM:
    """A perceptron, long short-term memory (Hochreiter and Schmidhuber 1997), and two heads.

    The cell has a forget gate (Gers et al. 2000, https://doi.org/10.1162/089976600300015015). Each
    seat of each game carries a state of its own, which begins at zero.
    """

    kind: ClassVar[str] = "lstm"
    recurrent: ClassVar[bool] = True

    hidden_dims: tuple[int, ...] = option(
        default=(64,), **WIDTHS, doc="Width of each layer before the cell."
    )
    hidden_size: int = option(default=64, **SIZE, doc=UNITS)
    activation: Activation = option(default="relu", doc="Nonlinearity behind each hidden layer.")
    value_head: ValueHead = option(**VALUE_HEAD)
    dropout: float = option(**DROPOUT)
    dtype: DType = option(**DTYPE)


@attrs.frozen(kw_only=True)
class GRU:
    """A perceptron, a gated recurrent unit, and two heads.

    The cell is that of Cho et al. 2014 (https://arxiv.org/abs/1406.1078), the reset gate behind
    the product. Each seat of each game carries a state of its own, which begins at zero.
    """

    kind: ClassVar[str] = "gru"
    recurrent: ClassVar[bool] = True

    hidden_dims: tuple[int, ...] = option(
        default=(64,), **WIDTHS, doc="Width of each layer before the cell."
    )
    hidden_size: int = option(default=64, **SIZE, doc=UNITS)
    activation: Activation = option(default="relu", doc="Nonlinearity behind each hidden layer.")
    value_head: ValueHead = option(**VALUE_HEAD)
    dropout: float = option(**DROPOUT)
    dtype: DType = option(**DTYPE)


ModelConfig = (
    MLP
    | ResidualMLP
    | Conv
    | ResNet
    | AZNet
    | LSTM
    | GRU
    | ResNetLSTM
    | Transformer
    | TransformerLSTM
    | ImportedPart
)


def is_recurrent(config: Any) -> bool | None:
    """Says whether a model carries something from one decision to the next.

    A user's own class says so by an attribute `recurrent`. None where it was not imported.
    """
    own = config.config if isinstance(config, ImportedPart) else config
    return None if own is None else bool(getattr(own, "recurrent", False))


def needs_board(config: Any) -> bool:
    """Says whether a built-in model takes one array `[H, W, C]` and nothing else."""
    return getattr(config, "needs_board", False)


def model_streams(config: Any) -> tuple[str, ...]:
    """Returns the random streams that a built-in model draws from in training."""
    return ("dropout",) if config.dropout > 0 else ()
