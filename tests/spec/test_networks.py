"""What a model's config says of it, and what it needs of the game."""

import attrs
import pytest

from jaxpot.spec import LSTM, MLP, ImportedPart
from jaxpot.spec.configs.models import is_recurrent, needs_board
from jaxpot.spec.registry import MODELS, part_streams
from jaxpot.spec.structure import structure
from tests.spec.specs import SMALL, changed

KUHN = changed(SMALL, ("env", "id"), "kuhn_poker")


@attrs.frozen
class Remembering:
    recurrent = True
    streams = ("dropout",)


@pytest.mark.parametrize("row", MODELS.rows, ids=lambda row: row.kind)
def test_only_networks_over_a_board_refuse_a_game_without(row):
    _, faults, _ = structure(changed(KUHN, ("model",), {"kind": row.kind}), import_user_code=False)
    found = [fault for fault in faults if fault.code == "needs-board-observation"]
    assert [fault.code for fault in found] == ["needs-board-observation"] * needs_board(row.config)
    for fault in found:
        assert fault.message == f"{row.kind} needs an observation [H, W, C]; this game's is [7]"
        assert fault.allowed == '"mlp", "residual_mlp", "lstm" or "gru"'


def test_what_a_config_says_of_its_network():
    assert is_recurrent(LSTM()) is True
    assert is_recurrent(MLP()) is False
    assert part_streams(MLP(dropout=0.1)) == ("dropout",)
    assert part_streams(MLP()) == ()


def test_what_a_user_s_class_says_is_known_once_it_is_imported():
    unknown = ImportedPart(kind="mine:Remembering")
    assert is_recurrent(unknown) is None
    assert part_streams(unknown) == ()
    known = attrs.evolve(unknown, config=Remembering())
    assert is_recurrent(known) is True
    assert part_streams(known) == ("dropout",)
