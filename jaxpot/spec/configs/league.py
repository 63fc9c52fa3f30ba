"""Configs of the league and of the target network, and the iterations at which the league grows."""

import attrs

from jaxpot.spec.configs.collect import Collect
from jaxpot.spec.fields import INT32_MAX, option
from jaxpot.spec.keys import Cadence


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
class AddSchedule(Cadence):
    """The iterations after which the league takes a copy of the agent.

    The first one is `start`. Then it is every `fill_every` iterations up to `full`, which fills the
    league, and every `every` from then on.
    """

    full: int
    fill_every: int

    @classmethod
    def of(cls, league: League, collect: Collect) -> "AddSchedule":
        """Return the schedule of a league, which waits for the end of the random warm-up."""
        warmup = collect.random.until if collect.random is not None else None
        first = warmup or 0
        fill = league.fill_every or league.add_every
        full = ((first + 1) // fill + league.size - 1) * fill - 1 if league.size > 1 else first
        return cls(start=first, full=full, fill_every=fill, every=league.add_every)

    def fires(self, t: int) -> bool:
        """Return whether a copy is taken after iteration `t`."""
        if t <= self.start:
            return t == self.start
        return (t + 1) % (self.fill_every if t <= self.full else self.every) == 0

    @property
    def archive_start(self) -> int:
        """The first iteration at which the archive can have an entry."""
        return ((self.full + 1) // self.every + 1) * self.every

    def __str__(self) -> str:
        text = f"at iteration {self.start}"
        if self.full > self.start:
            text += f", then every {self.fill_every} to {self.full}"
        return f"{text}, then every {self.every}"
