"""What a part of the campaign counts: cases by kind, and those that failed, in words."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import attrs


@attrs.define
class Tally:
    """The cases of one part.

    Attributes:
        cases: How many were tried, by kind.
        failures: What went wrong, a text each.
        untried: Kinds that this machine does not allow, and why.
    """

    cases: Counter[str] = attrs.field(factory=Counter)
    failures: list[str] = attrs.field(factory=list)
    untried: dict[str, str] = attrs.field(factory=dict)

    @contextmanager
    def case(self, kind: str, reported: str = "") -> Iterator[None]:
        """Counts a case, and notes the assertion that fails in it."""
        self.cases[kind] += 1
        try:
            yield
        except AssertionError as error:
            self.failures.append(f"{kind} {reported}: {error}".strip())

    @property
    def total(self) -> int:
        return sum(self.cases.values())

    def check(self) -> None:
        """Fails with every failure."""
        assert not self.failures, "\n".join(self.failures)
