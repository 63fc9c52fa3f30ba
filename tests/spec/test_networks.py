"""What a model's config says of it, and what it needs of the game."""

import attrs
import pytest
import tomli

from jaxpot.spec import MLP, ImportedPart, Memory
from jaxpot.spec.configs.models import FORMER_KINDS, is_recurrent, needs_board
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
        assert fault.allowed == '"mlp" or "residual_mlp"'


def test_what_a_config_says_of_its_network():
    assert is_recurrent(MLP(memory=Memory(kind="gru"))) is True
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


@pytest.mark.parametrize("kind", FORMER_KINDS)
def test_a_kind_that_became_an_option_is_refused_with_the_new_form(kind):
    _, faults, _ = structure(changed(SMALL, ("model",), {"kind": kind}), import_user_code=False)
    (fault,) = faults
    assert (fault.code, fault.path) == ("unknown-kind", ("model", "kind"))
    assert (
        fault.message == f'"{kind}" is no longer a kind of model; use the option that replaced it'
    )
    new = tomli.loads(f"model = {{ {fault.allowed} }}")["model"]
    spec = changed(SMALL, ("model",), new)
    _, faults, _ = structure(spec, import_user_code=False)
    assert {fault.code for fault in faults} <= {"needs-board-observation", "uneven-sequences"}
