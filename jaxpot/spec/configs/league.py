"""Configs of the league and of the target network, and the iterations at which the league grows."""

import attrs

from jaxpot.spec.configs.collect import Collect
from jaxpot.spec.fields import INT32_MAX, option


@attrs.frozen(kw_only=True)
class League:
    """Frozen copies of the agent's past: those it plays against, and an archive of the weaker."""

    size: int = option(ge=1, le=4096, doc="Entries that the league holds.")
    add_every: int = option(
        ge=1, le=INT32_MAX, unit="iterations", doc="Cadence at which the full league takes a copy."
    )
    fill_every: int | None = option(
        default=None,
        ge=1,
        le=INT32_MAX,
        unit="iterations",
        doc="Cadence at which it takes copies until it is full; without it, `add_every`.",
    )
    temperature: float = option(
        default=0.6,
        ge=1e-6,
        doc="Of the opponents' weights, softmax(-score / temperature); low favours the strong.",
    )
    score_alpha: float = option(
        default=0.1,
        gt=0,
        le=1,
        complement=True,
        doc="Weight of the newest mean reward in an entry's score, a moving average.",
    )
    base_unit: int = option(
        default=64,
        ge=2,
        le=INT32_MAX,
        multiple_of=2,
        unit="environments",
        doc="Environments that play against one opponent together.",
    )
    archive_size: int = option(
        default=32, ge=0, le=4096, doc="Entries that the archive holds; 0 for no archive."
    )
    forgotten_margin: float = option(
        default=0.008,
        doc="Archived entries with a lower score are forgotten ones, and are played again.",
    )
    log_every: int = option(
        default=10, ge=1, le=INT32_MAX, unit="iterations", doc="Cadence of recorded standings."
    )

    @property
    def slots(self) -> int:
        """Entries that there can be, in the league and in the archive together."""
        return self.size + self.archive_size


@attrs.frozen(kw_only=True)
class Target:
    """A slow copy of the network: params <- tau * live + (1 - tau) * target."""

    tau: float = option(
        gt=0,
        le=1,
        complement=True,
        doc="Share of the live network in an update of the target.",
    )
    every: int = option(
        default=1, ge=1, le=INT32_MAX, unit="iterations", doc="Cadence of the target's updates."
    )


@attrs.frozen(kw_only=True)
class AddSchedule:
    """When the league takes a copy of the agent: a function of the iteration alone.

    Attributes:
      first: iteration of the first one, when the league is empty.
      full: iteration of the one that fills the league.
      fill_every: cadence until then.
      every: cadence from then on.
    """

    first: int
    full: int
    fill_every: int
    every: int

    @classmethod
    def of(cls, league: League, collect: Collect) -> "AddSchedule":
        """Returns the schedule of a league, which waits for the end of the random warm-up."""
        warmup = collect.random.until if collect.random is not None else None
        first = warmup or 0
        fill = league.fill_every or league.add_every
        full = ((first + 1) // fill + league.size - 1) * fill - 1 if league.size > 1 else first
        return cls(first=first, full=full, fill_every=fill, every=league.add_every)

    def fires(self, t: int) -> bool:
        """Says whether a copy is taken after iteration `t`."""
        if t <= self.first:
            return t == self.first
        return (t + 1) % (self.fill_every if t <= self.full else self.every) == 0

    @property
    def start(self) -> int:
        """First iteration of its window, which has no end."""
        return self.first

    @property
    def until(self) -> None:
        """None: it has no end."""
        return

    def in_window(self, t: int) -> bool:
        """Says whether `t` is not before the first one."""
        return t >= self.first

    @property
    def archive_start(self) -> int:
        """First iteration that finds an entry in the archive, if there is one."""
        return ((self.full + 1) // self.every + 1) * self.every

    def __str__(self) -> str:
        text = f"at iteration {self.first}"
        if self.full > self.first:
            text += f", then every {self.fill_every} to {self.full}"
        return f"{text}, then every {self.every}"
