"""Every kind of model as small as it can be."""

from jaxpot.spec import (
    GRU,
    LSTM,
    MLP,
    AZNet,
    Conv,
    ResidualMLP,
    ResNet,
    ResNetLSTM,
    Transformer,
    TransformerLSTM,
    implementation,
)

SHAPE = (3, 3, 2)
ACTIONS = 9
TINY = (
    MLP(hidden_dims=(8,)),
    ResidualMLP(width=8, num_blocks=1),
    Conv(num_filters=4, num_layers=1),
    ResNet(num_filters=4, num_blocks=1),
    AZNet(num_filters=4, num_blocks=1),
    LSTM(hidden_dims=(8,), hidden_size=6),
    GRU(hidden_dims=(8,), hidden_size=6),
    ResNetLSTM(num_filters=4, num_blocks=1, hidden_size=6),
    Transformer(num_blocks=1, num_heads=2, head_dim=4),
    TransformerLSTM(num_blocks=1, num_heads=2, head_dim=4, hidden_size=6),
)


def build(config, shape=SHAPE):
    return implementation(config)(config, observation_shape=shape, num_actions=ACTIONS)


def kind(config):
    return config.kind
