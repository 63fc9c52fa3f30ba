"""What the fields of several models' configs share: types, bounds, defaults and words."""

from typing import Any, Literal

from jaxpot.spec.fields import INT32_MAX

Activation = Literal["relu", "tanh", "gelu", "silu"]
ValueHead = Literal["plain", "tanh"]
DType = Literal["float32", "bfloat16"]


WIDTHS: dict[str, Any] = {"ge": 1, "le": INT32_MAX, "max_items": 64}
SIZE: dict[str, Any] = {"ge": 1, "le": INT32_MAX}
DEPTH: dict[str, Any] = {"ge": 1, "le": 1000}
VALUE_HEAD: dict[str, Any] = {
    "default": "plain",
    "doc": "Whether the value is the last layer's output as it is, or its tanh, in (-1, 1).",
}
DROPOUT: dict[str, Any] = {
    "default": 0.0,
    "ge": 0,
    "lt": 1,
    "complement": True,
    "doc": "Share of the features before the heads that a training step zeroes.",
}
DTYPE: dict[str, Any] = {
    "default": "float32",
    "doc": "Type that the trunk computes in. Parameters, statistics, the heads and what is "
    "carried from move to move are float32.",
}
FILTERS = "Channels of every convolution in the trunk."
BLOCKS = "Residual blocks of two convolutions each."
UNITS = "Numbers that the cell carries, and gives to the heads."
