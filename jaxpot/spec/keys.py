"""What a key of the log payload is, and on which iterations it is there."""

import math
from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class PayloadKey:
    """One key of the per-iteration payload.

    It is there at iteration `t` if `start <= t < until` and `(t + 1) % every == 0`, and, with a
    condition, if that holds.

    Attributes:
      name: the key, such as `eval_vs_random/win_rate`.
      dtype: whether its values are integers.
      unit: of its values; "" where they have none.
      doc: what it means.
      every: its cadence.
      start: first iteration of its window.
      until: first iteration behind its window; None for no end.
      when: the condition of the run's state on which it is there; None for none. What holds is
        known to the running loop only.
      phase: the phase that emits it.
      wall_clock: whether its values are times, which no two runs share.
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

    def present_at(self, t: int) -> bool:
        """Says whether the payload of iteration `t` has the key; with a condition, can have it."""
        in_window = self.start <= t and (self.until is None or t < self.until)
        return in_window and (t + 1) % self.every == 0

    def first_within(self, iterations: int, *, every: int = 1) -> int | None:
        """Returns the first iteration that has the key, or None.

        Args:
          iterations: how many iterations there are.
          every: a second cadence that the iteration must be on as well.
        """
        period = math.lcm(self.every, every)
        first = -(-(self.start + 1) // period) * period - 1
        end = iterations if self.until is None else min(self.until, iterations)
        return first if first < end else None
