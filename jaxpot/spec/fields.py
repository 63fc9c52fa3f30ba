"""The one way to declare a spec's field: a type, a default, its rules and what it means."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from jaxpot.spec.faults import Fault, Path, quoted

INT32_MAX = 2**31 - 1

_RULES = "jaxpot"


@attrs.frozen
class Name:
    """What names look like: as a regular expression for the whole, and in words."""

    pattern: str
    words: str


LABEL = Name(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}",
    "a name: letters, digits, `.`, `_` and `-`, a letter or a digit first, at most 100",
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
    later: bool = False

    def admit(self, number: float) -> bool:
        """Says whether a number is within the bounds."""
        return (
            (self.ge is None or number >= self.ge)
            and (self.gt is None or number > self.gt)
            and (self.le is None or number <= self.le)
            and (self.lt is None or number < self.lt)
        )

    @property
    def range(self) -> str:
        """The bounds in words, to stand behind "a number"; "" without any."""
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


def option(
    *,
    default: Any = attrs.NOTHING,
    converter: Callable[[Any], Any] | None = None,
    **rules: Any,
) -> Any:
    """Declares a field of a spec class; `rules` are those of `Rules`, `doc` at least.

    A value that breaks a rule raises a ValueError also where the class is built from Python.
    """
    return attrs.field(
        default=default,
        converter=converter,
        validator=_validate,
        metadata={_RULES: Rules(**rules)},
    )


def rules_of(attribute: "attrs.Attribute[Any]") -> Rules:
    """Returns a field's rules; a user's own class, which declares none, has none."""
    return attribute.metadata.get(_RULES) or Rules(doc=attribute.metadata.get("doc", ""))


def broken(rules: Rules, value: Any, allowed: str) -> Iterator[Fault]:
    """Yields a fault for each rule that a value of the right type breaks.

    Paths are relative to the value; `allowed` is what would be right, of an array for an item.
    """
    if isinstance(value, tuple):
        yield from _broken_items(rules, value, allowed)
    elif isinstance(value, Mapping):
        for key in value:
            yield from _misnamed(rules.keys, key, (key,))
    elif isinstance(value, str):
        yield from _misnamed(rules.name, value, ())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not rules.admit(value):
            yield Fault("out-of-range", (), f"{value!r} is out of range", allowed)
        elif rules.multiple_of and value % rules.multiple_of:
            message = f"{value!r} is not divisible by {rules.multiple_of}"
            yield Fault("not-divisible", (), message, allowed)
    elif hasattr(value, "highest"):
        yield from _broken_schedule(rules, value)


def _misnamed(name: Name | None, given: str, path: Path) -> Iterator[Fault]:
    if name is not None and not re.fullmatch(name.pattern, given):
        yield Fault("bad-name", path, f"{quoted(given)} is not a usable name", name.words)


def _broken_items(rules: Rules, items: tuple[Any, ...], allowed: str) -> Iterator[Fault]:
    if rules.max_items is not None and len(items) > rules.max_items:
        yield Fault("out-of-range", (), f"{len(items)} items", f"at most {rules.max_items} items")
        return
    for index, item in enumerate(items):
        for fault in broken(rules, item, allowed):
            yield attrs.evolve(fault, path=(index, *fault.path))
    if rules.unique:
        yield from _repeated(items)


def _repeated(items: tuple[Any, ...]) -> Iterator[Fault]:
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
