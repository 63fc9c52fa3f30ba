"""How a contract check reports: every breach of it at once."""

from collections.abc import Iterable


class ContractError(AssertionError):
    """A part breaks its contract; `faults` says how, one sentence each."""

    def __init__(self, part: object, contract: str, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        lines = "".join(f"\n  - {fault}" for fault in self.faults)
        super().__init__(f"{type(part).__name__} breaks the {contract} contract:{lines}")


def require(part: object, contract: str, faults: Iterable[str]) -> None:
    """Raises `ContractError` if there is any fault."""
    faults = tuple(faults)
    if faults:
        raise ContractError(part, contract, faults)
