"""The rules on sequences, for recurrent models, and on V-trace, which needs opponents' moves."""

from collections.abc import Iterator

from jaxpot.spec.configs.models import is_recurrent
from jaxpot.spec.faults import Fault
from jaxpot.spec.rules.draft import Draft
from jaxpot.spec.rules.opponents import unmet_networks

_SEQ_LEN = ("algorithm", "seq_len")


def _no_memory(draft: Draft) -> Iterator[Fault]:
    if draft.sound(*_SEQ_LEN) is not None and not is_recurrent(draft.part("model")):
        message = "no effect with a model without memory, which learns from single rows"
        allowed = "remove this key, or give the model a `memory`"
        yield Fault("unused-option", _SEQ_LEN, message, allowed)


def _whole_sequences(draft: Draft) -> Iterator[Fault]:
    seq_len, num_steps = draft.sound(*_SEQ_LEN), draft.sound("collect", "num_steps")
    if seq_len is not None and num_steps % seq_len:
        message = f"collect.num_steps = {num_steps} is not divisible by {seq_len}"
        allowed = f"a divisor of {num_steps}"
        yield Fault("uneven-sequences", _SEQ_LEN, message, allowed)


def _whole_minibatches(draft: Draft) -> Iterator[Fault]:
    if not is_recurrent(draft.part("model")):
        return
    path = ("algorithm", "batch_size")
    seq_len = draft.sound(*_SEQ_LEN) or draft.sound("collect", "num_steps")
    batch_size = draft.sound(*path)
    if batch_size % seq_len:
        message = f"{batch_size} is not divisible by the {seq_len} steps of a sequence"
        yield Fault("uneven-sequences", path, message, f"a positive multiple of {seq_len}")


def _others_moves(draft: Draft) -> Iterator[Fault]:
    path = ("algorithm", "vtrace")
    if draft.sound(*path):
        yield from unmet_networks(draft, path, given=True)


sequence_rules = (_no_memory, _whole_sequences, _whole_minibatches, _others_moves)
