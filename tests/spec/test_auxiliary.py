"""Tables of auxiliary losses: their kinds, their keys, their rules, their part in the digests."""

import attrs
import pytest

from jaxpot.errors import UserError
from jaxpot.spec import SpecError, from_resolved, payload_keys, spec_digest, training_digest
from jaxpot.spec.configs.auxiliary import GameProgress, OpponentHand
from tests.spec.specs import SMALL, changed

KUHN = changed(SMALL, ("env", "id"), "kuhn_poker")
OWN = "tests.spec.test_auxiliary"


@attrs.frozen
class Mine:
    target = "game_progress"

    def build(self, *, env):
        return self


@attrs.frozen
class Nameless:
    def build(self, *, env):
        return self


def losses(tables, base=SMALL, **options):
    return dict(from_resolved({**base, "auxiliary": tables}, **options).auxiliary)


def test_a_name_is_the_kind_where_the_table_says_none():
    found = losses({"game_progress": {}, "cards": {"kind": "opponent_hand", "coeff": 2}}, KUHN)
    assert found == {"game_progress": GameProgress(coeff=0.1), "cards": OpponentHand(coeff=2)}


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"game_progres": {}}, r"auxiliary\.game_progres\.kind: missing"),
        ({"game_progress": {"coeff": -1}}, r"auxiliary\.game_progress\.coeff: -1.0 is out of"),
        ({"My": {"kind": "game_progress"}}, r"auxiliary\.My: \"My\" is not a usable name"),
        (
            {"game_progress": {}, "far": {"kind": "game_progress"}},
            r"auxiliary\.far: \"game_progress\" and \"far\" both learn \"game_progress\"",
        ),
        (
            {"opponent_hand": {}},
            r"auxiliary\.opponent_hand: this game cannot tell a player's hand; "
            r"allowed: in \"kuhn_poker\" or \"leduc_holdem\"",
        ),
    ],
)
def test_what_is_wrong_is_said(tables, message):
    with pytest.raises(SpecError, match=message):
        losses(tables)


def test_a_users_own_loss_is_held_to_its_target():
    tables = {"mine": {"kind": f"{OWN}:Mine"}, "game_progress": {}}
    with pytest.raises(SpecError, match="both learn"):
        losses(tables, import_user_code=True)
    assert set(losses(tables)) == {"mine", "game_progress"}
    two = {name: {"kind": f"{OWN}:Nameless"} for name in ("a", "b")}
    with pytest.raises(SpecError, match=f'both learn "{OWN}:Nameless"'):
        losses(two, import_user_code=True)


def test_a_game_that_only_the_mover_sees_has_no_history():
    base = changed(SMALL, ("env", "id"), "backgammon")
    assert from_resolved(changed(base, ("env", "action_history"), 2)).env.action_history == 2
    with pytest.raises(SpecError, match=r"env\.history: \"backgammon\" shows a position to"):
        from_resolved(changed(base, ("env", "history"), 2))


def test_each_loss_is_a_payload_key_of_the_training():
    keys = payload_keys(from_resolved({**KUHN, "auxiliary": {"game_progress": {}}}))
    (key,) = (key for key in keys if key.name == "game_progress")
    assert (key.name, key.phase, key.dtype, key.every) == (
        "game_progress", "training", "float", 1,
    )  # fmt: skip


def test_a_gate_may_look_at_it():
    gate = {"metric": "game_progress", "max": 1.0}
    data = {**SMALL, "auxiliary": {"game_progress": {}}, "expect": [gate]}
    assert from_resolved(data).expect[0].metric == gate["metric"]
    with pytest.raises(SpecError, match="nothing emits"):
        from_resolved({**data, "auxiliary": {}})
    refused = {"game_progress": {"coeff": -1}}
    with pytest.raises(SpecError) as caught:
        from_resolved({**data, "auxiliary": refused})
    assert [fault.code for fault in caught.value.faults] == ["out-of-range"]


def test_losses_and_history_change_the_training_and_their_defaults_nothing():
    plain = from_resolved(SMALL)
    changes = (
        ({"auxiliary": {"game_progress": {}}}, True),
        ({"env": {**SMALL["env"], "history": 2}}, True),
        ({"env": {**SMALL["env"], "action_history": 1}}, True),
        ({"auxiliary": {}, "env": {**SMALL["env"], "history": 1, "action_history": 0}}, False),
    )
    for change, matters in changes:
        other = from_resolved({**SMALL, **change})
        assert (spec_digest(other) != spec_digest(plain)) == matters
        assert (training_digest(other) != training_digest(plain)) == matters


def test_an_unimported_algorithms_keys_are_still_unknown():
    data = {**SMALL, "algorithm": {"kind": "a.b:C"}, "auxiliary": {"game_progress": {}}}
    with pytest.raises(UserError, match=r"a\.b:C"):
        payload_keys(from_resolved(data))


def test_a_loss_has_no_name_that_is_a_key_already():
    for name in ("policy_loss", "num_episodes"):
        with pytest.raises(SpecError, match=f'auxiliary.{name}: "{name}" is a key of the payload'):
            losses({name: {"kind": "game_progress"}})
