"""When something is due, and a key of the log payload."""

import math
from typing import Literal

import attrs


@attrs.frozen
class Cadence:
    """The iterations at which something is due.

    Iteration `t`, counted from 0, is due if `start <= t < until` and `(t + 1) % every == 0`.

    Attributes:
        every: Iterations from one to the next.
        start: First iteration of the window.
        until: First iteration after the window; None for no end.
        when: A condition of the run's state that must hold as well; None for none. Only the running
            loop knows whether it holds.
    """

    every: int = 1
    start: int = 0
    until: int | None = None
    when: str | None = None

    def fires(self, t: int) -> bool:
        """Return whether iteration `t` is due, if the condition holds."""
        return self.in_window(t) and self.is_multiple(t)

    def in_window(self, t: int) -> bool:
        """Return whether `t` is in `[start, until)`."""
        return self.start <= t and (self.until is None or t < self.until)

    def is_multiple(self, t: int) -> bool:
        """Return whether `t + 1` is a multiple of `every`; `t` may be traced."""
        return (t + 1) % self.every == 0

    def first(self, iterations: int, *, every: int = 1) -> int | None:
        """Return the first due iteration below `iterations`, or None.

        Args:
            iterations: Number of iterations.
            every: Consider only iterations `t` with `(t + 1) % every == 0`.
        """
        period = math.lcm(self.every, every)
        first = -(-(self.start + 1) // period) * period - 1
        end = iterations if self.until is None else min(self.until, iterations)
        return first if first < end else None

    def __str__(self) -> str:
        text = "every iteration" if self.every == 1 else f"every {self.every}"
        if self.until is not None:
            text += f", iterations {self.start}..{self.until - 1}"
        elif self.start:
            text += f", from iteration {self.start}"
        return text


EVERY_ITERATION = Cadence()


@attrs.frozen(kw_only=True)
class PayloadKey:
    """One key of the per-iteration payload.

    Attributes:
        name: The key, such as `eval_vs_random/win_rate`.
        dtype: Whether its values are integers.
        unit: The unit of its values; "" for none.
        doc: What it means.
        every, start, until, when: Its cadence: the iterations whose payload has it.
        phase: The phase that emits it.
        wall_clock: Whether its values are times, which differ from run to run.
    """

    name: str
    dtype: Literal["int", "float"]
    unit: str
    doc: str
    phase: str
    every: int = 1
    start: int = 0
    until: int | None = None
    when: str | None = None
    wall_clock: bool = False

    @property
    def cadence(self) -> Cadence:
        """The iterations whose payload has the key."""
        return Cadence(self.every, self.start, self.until, self.when)
