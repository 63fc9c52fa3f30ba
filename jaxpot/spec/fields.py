"""The one way to declare a spec's field: a type, a default, its rules and what it means."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import attrs

from jaxpot.spec import float32
from jaxpot.spec.faults import Fault, Path, quoted

INT32_MAX = 2**31 - 1

_RULES = "jaxpot"


@attrs.frozen
class Name:
    """What names look like: as a regular expression for the whole, and in words.

    `reserved` has the names of this form that cannot be given, each with what it means instead.
    """

    pattern: str
    words: str
    reserved: Mapping[str, str] = MappingProxyType({})


LABEL = Name(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}",
    "a name: letters, digits, `.`, `_` and `-`, a letter or a digit first, at most 100",
    reserved=MappingProxyType({"latest": "the newest run, whatever runs are called"}),
)
RUN = Name(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}",
    "a run: its uid, the start of one, a name, a tag or `latest`",
)
SELECTOR = Name(
    r"(latest|best|(milestone:)?[0-9]{1,10})",
    "a checkpoint: `latest`, `best`, `milestone:N`, or `N`, where N is iterations done",
)
IDENTIFIER = Name(
    r"[a-z][a-z0-9_]{0,63}",
    "a name: lower-case letters, digits and `_`, a letter first, at most 64",
)


@attrs.frozen(kw_only=True)
class Rules:
    """What a field's value must obey beyond its type, and what it means.

    Bounds hold for a number, for each number of an array, and for the highest value of a schedule;
    `name` for a string or each string of an array; `keys` for the keys of a table.

    Attributes:
      doc: one sentence for the reference, the schema and editors.
      unit: of the value, where it has one.
      ge: smallest value.
      gt: the value is above this.
      le: largest value.
      lt: the value is below this.
      multiple_of: the value is divisible by this.
      name: what a string looks like.
      keys: what every key looks like.
      choices: strings that there are, for editors and the reference; a rule across fields refuses
        others, with more to say.
      max_items: most items of an array.
      unique: whether an array's items must differ.
      host: whether a float is only read on the host, as float64, and never by the program.
      complement: whether the program weighs by 1 - value too, beside which the value must count.
      later: whether the field is younger than its class, whose digests its default leaves as they
        were.
    """

    doc: str
    unit: str = ""
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    multiple_of: int | None = None
    name: Name | None = None
    keys: Name | None = None
    choices: tuple[str, ...] = ()
    max_items: int | None = None
    unique: bool = False
    host: bool = False
    complement: bool = False
    later: bool = False

    def admit(self, number: float) -> bool:
        """Return whether a number is within the bounds."""
        return (
            (self.ge is None or number >= self.ge)
            and (self.gt is None or number > self.gt)
            and (self.le is None or number <= self.le)
            and (self.lt is None or number < self.lt)
        )

    def admit32(self, number: float) -> bool:
        """Return whether the float32 of a number within the bounds is within their float32."""
        rounded = float32.rounded(number)
        return (self.gt is None or rounded > float32.rounded(self.gt)) and (
            self.lt is None or rounded < float32.rounded(self.lt)
        )

    @property
    def range(self) -> str:
        """The bounds in words, to follow "a number"; "" without any."""
        if self.ge is not None and self.le is not None:
            return f"from {_plain(self.ge)} to {_plain(self.le)}"
        words = [
            f"{word} {_plain(bound)}"
            for word, bound in (
                ("of at least", self.ge),
                ("above", self.gt),
                ("of at most", self.le),
                ("below", self.lt),
            )
            if bound is not None
        ]
        return " and ".join(words)


@attrs.frozen
class Derived:
    """A number that the program derives from a field's, and others' that the formula holds.

    Attributes:
      field: whose number it is that may be given otherwise.
      number: that field's.
      formula: in words, as in `1 - tau`.
      of: the formula, of the field's number.
    """

    field: str
    number: float
    formula: str
    of: Callable[[float], float]

    def loss(self, number: float) -> str:
        """Say how float32 loses the derived number, or the field's part in it; "" if it holds."""
        value, without = self.of(number), float32.rounded(self.of(0.0))
        if not float32.loss(value) and number and float32.rounded(value) == without:
            return f"is {float32.shortest(without)}"
        return float32.loss(value)


def option(
    *,
    default: Any = attrs.NOTHING,
    converter: Callable[[Any], Any] | None = None,
    **rules: Any,
) -> Any:
    """Declare a field of a spec class; `rules` are those of `Rules`, `doc` at least.

    A value that breaks a rule raises a ValueError also where the class is built from Python.
    """
    return attrs.field(
        default=default,
        converter=converter,
        validator=_validate,
        metadata={_RULES: Rules(**rules)},
    )


def rules_of(attribute: "attrs.Attribute[Any]") -> Rules:
    """Return a field's rules; a user's own class may declare `doc` and `host` in its metadata."""
    own = {name: attribute.metadata[name] for name in ("doc", "host") if name in attribute.metadata}
    return attribute.metadata.get(_RULES) or Rules(**{"doc": "", **own})


def broken(rules: Rules, value: Any, allowed: str) -> Iterator[Fault]:
    """Yield a fault for each rule that a value of the right type breaks.

    Paths are relative to the value; `allowed` is what would be right, of an array for an item.
    """
    if isinstance(value, tuple | list):
        yield from _broken_items(rules, value, allowed)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _misnamed(rules.keys, key, (key,))
            if isinstance(item, float | tuple | list):
                for fault in broken(attrs.evolve(rules, keys=None), item, allowed):
                    yield attrs.evolve(fault, path=(key, *fault.path))
    elif isinstance(value, str):
        yield from _misnamed(rules.name, value, ())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not rules.admit(value):
            yield Fault("out-of-range", (), f"{value!r} is out of range", allowed)
        elif rules.multiple_of and value % rules.multiple_of:
            message = f"{value!r} is not divisible by {rules.multiple_of}"
            yield Fault("not-divisible", (), message, allowed)
        elif isinstance(value, float) and not rules.host:
            yield from _lost_in_float32(rules, value)
    elif hasattr(value, "highest"):
        yield from _broken_schedule(rules, value)


def _lost_in_float32(rules: Rules, number: float) -> Iterator[Fault]:
    """Yield a fault where the program's float32 of a number is not what the spec says."""

    def loss(number: float) -> str:
        if lost := float32.loss(number):
            return lost
        if not rules.admit32(number):
            return f"is {float32.shortest(number)}"
        if rules.complement and number and float32.rounded(1 - number) == 1:
            return "is nothing beside 1"
        return ""

    if lost := loss(number):
        holding = float32.near(number, lambda x: rules.admit(x) and not loss(x))
        yield Fault("not-float32", (), f"{number!r} {lost} as float32", holding)


def derived_faults(config: Any) -> Iterator[Fault]:
    """Yield a fault for each number that the program derives from a config and float32 loses.

    A class names such numbers by a method `derived_numbers`, which gives a `Derived` for each.
    """
    if not hasattr(type(config), "derived_numbers"):
        return
    rules = {field.name: rules_of(field) for field in attrs.fields(type(config))}
    for one in config.derived_numbers():
        reason = one.loss(one.number)
        if reason:
            bounds = rules.get(one.field, Rules(doc=""))

            def holds(number: float, one: Derived = one, bounds: Rules = bounds) -> bool:
                return bounds.admit(number) and not float32.loss(number) and not one.loss(number)

            message = f"with {one.number!r}, {one.formula} {reason} as float32"
            allowed = float32.near(one.number, holds)
            yield Fault("not-float32", (one.field,), message, allowed)


def _misnamed(name: Name | None, given: str, path: Path) -> Iterator[Fault]:
    if name is not None and not re.fullmatch(name.pattern, given):
        yield Fault("bad-name", path, f"{quoted(given)} is not a usable name", name.words)
    elif name is not None and given in name.reserved:
        message = f"{quoted(given)} always means {name.reserved[given]}"
        yield Fault("reserved-name", path, message, "another name")


def _broken_items(rules: Rules, items: Sequence[Any], allowed: str) -> Iterator[Fault]:
    if rules.max_items is not None and len(items) > rules.max_items:
        yield Fault("out-of-range", (), f"{len(items)} items", f"at most {rules.max_items} items")
        return
    for index, item in enumerate(items):
        for fault in broken(rules, item, allowed):
            yield attrs.evolve(fault, path=(index, *fault.path))
    if rules.unique:
        yield from _repeated(items)


def _repeated(items: Sequence[Any]) -> Iterator[Fault]:
    seen = set()
    for index, item in enumerate(items):
        if item in seen and item is not None:  # None is the gap that a refused item left
            message = f"{quoted(str(item))} is there twice"
            yield Fault("duplicate-item", (index,), message, "each item once")
        seen.add(item)


def _broken_schedule(rules: Rules, schedule: Any) -> Iterator[Fault]:
    field, value = schedule.highest
    if not rules.admit(value):
        yield Fault(
            "out-of-range", (field,), f"{value!r} is out of range", f"a number {rules.range}"
        )


def _validate(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    rules = rules_of(attribute)
    for fault in broken(rules, value, rules.range):
        place = ".".join(map(str, (type(instance).__name__, attribute.name, *fault.path)))
        raise ValueError(f"{place}: {fault.message}; allowed: {fault.allowed}")


def _plain(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else repr(bound)
