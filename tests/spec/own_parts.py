"""Parts as a user would write them, for the tests of import paths."""

import attrs

from jaxpot.spec import PayloadKey
from jaxpot.spec.fields import Derived


@attrs.frozen
class Nim:
    heaps: tuple[int, ...]
    misere: bool = False

    def build(self, *args, **options):
        return (self, args, options)


@attrs.define
class Ladder:
    every: int
    games: dict[str, int] = attrs.Factory(dict)

    def build(self, **options):
        return self

    def payload_keys(self, prefix):
        return (
            PayloadKey(
                name=f"{prefix}/elo",
                dtype="float",
                unit="",
                doc="Rating.",
                every=self.every,
                phase=prefix,
            ),
        )


@attrs.frozen
class Picky:
    size: int = attrs.field(default=1, validator=attrs.validators.lt(10))
    odd: object = None

    def build(self):
        return self


@attrs.frozen
class NoBuild:
    size: int = 1


plain = 3


@attrs.frozen
class Scaled:
    rate: float = 0.5
    rates: dict[str, float] = attrs.Factory(dict)
    steps: tuple[float, ...] = ()
    limits: list[float] = attrs.Factory(list)
    seconds: float = attrs.field(default=1.0, metadata={"host": True})
    size: int = 1

    def build(self):
        return self


@attrs.frozen
class Product:
    a: float = 1.0
    b: float = 1.0

    def build(self):
        return self

    def derived_numbers(self):
        yield Derived("a", self.a, "a * b", lambda x: x * self.b)
