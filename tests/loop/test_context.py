"""Parts of a user's own are held to what no rule of the spec could know of them."""

from pathlib import Path
from typing import ClassVar

import attrs
import pytest

from jaxpot.errors import UserError
from jaxpot.loop.context import build_context
from jaxpot.spec import MLP, Memory, from_resolved, resolved
from jaxpot.spec.registry import implementation
from tests.tiny import tiny_experiment


@attrs.frozen
class Forgetful:
    """A recurrent model whose class does not say that it is one."""

    def build(self, **shapes):
        config = MLP(hidden_dims=(4,), memory=Memory(kind="lstm", hidden_size=4))
        return implementation(config)(config, **shapes)


@attrs.frozen
class Remembering(Forgetful):
    """The same, which says so."""

    recurrent: ClassVar[bool] = True


def own(model, **changes):
    data = resolved(tiny_experiment(overrides={"algorithm": {"batch_size": 10}}))
    data |= {"model": {"kind": f"{__name__}:{model}"}, "eval": {}}
    return from_resolved(data | changes, import_user_code=True)


def test_a_model_with_a_memory_says_so():
    with pytest.raises(UserError, match=r"Forgetful: its network has a memory, and its class does"):
        build_context(own("Forgetful"), Path())
    assert build_context(own("Remembering"), Path()).network.recurrent


def test_a_users_own_sequences_divide_the_steps():
    kind = f"{__name__}:Fours"
    with pytest.raises(
        UserError, match=r"sequences of 4 steps do not divide collect.num_steps = 5"
    ):
        build_context(own("Remembering", algorithm={"kind": kind}), Path())


@attrs.frozen
class Fours:
    """An algorithm that learns from sequences of four steps."""

    seq_len: ClassVar[int] = 4

    def build(self, **parts):
        del parts
        return self
