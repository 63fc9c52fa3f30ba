"""Every kind of model as small as it can be, without memory and with one."""

import attrs

from jaxpot.spec import (
    MLP,
    AZNet,
    Conv,
    Memory,
    ResidualMLP,
    ResNet,
    Transformer,
    implementation,
)

SHAPE = (3, 3, 2)
ACTIONS = 9
AZ_NET = AZNet(num_filters=4, num_blocks=1)
TRANSFORMER = Transformer(num_blocks=1, num_heads=2, head_dim=4)
PLAIN = (
    MLP(hidden_dims=(8,)),
    ResidualMLP(width=8, num_blocks=1),
    Conv(num_filters=4, num_layers=1),
    ResNet(num_filters=4, num_blocks=1),
    AZ_NET,
    TRANSFORMER,
)
GRU = MLP(hidden_dims=(8,), memory=Memory(kind="gru", hidden_size=6))
LSTM, *_ = WITH_LSTM = tuple(
    attrs.evolve(config, memory=Memory(kind="lstm", hidden_size=6)) for config in PLAIN
)
TINY = (*PLAIN, LSTM, *WITH_LSTM[3:], GRU)


def build(config, shape=SHAPE):
    return implementation(config)(config, observation_shape=shape, num_actions=ACTIONS)


def kind(config):
    return config.kind if config.memory is None else f"{config.kind}-{config.memory.kind}"
