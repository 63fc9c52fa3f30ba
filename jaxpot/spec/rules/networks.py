"""The rule on models: some networks need a board to look at."""

from collections.abc import Iterator

from jaxpot.spec.configs.models import needs_board
from jaxpot.spec.faults import Fault
from jaxpot.spec.registry import MODELS
from jaxpot.spec.rules.draft import Draft
from jaxpot.spec.wording import listed


def _board(draft: Draft) -> Iterator[Fault]:
    model = draft.part("model")
    if needs_board(model):
        shape = draft.game().observation_shape
        if len(shape) != 3:
            message = f"{model.kind} needs an observation [H, W, C]; this game's is {list(shape)}"
            others = [row.kind for row in MODELS.rows if not needs_board(row.config)]
            yield Fault("needs-board-observation", ("model", "kind"), message, listed(others))


network_rules = (_board,)
