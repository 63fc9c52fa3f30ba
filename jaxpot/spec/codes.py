"""The catalogue of fault codes: what `jaxpot explain CODE` says about each."""

from collections.abc import Mapping
from types import MappingProxyType

from jaxpot.errors import UserError
from jaxpot.spec.codes_of_reading import READING_CODES
from jaxpot.spec.codes_of_rules import RULE_CODES
from jaxpot.spec.codes_of_search import SEARCH_CODES
from jaxpot.spec.codes_of_values import VALUE_CODES
from jaxpot.spec.faults import Code, nearest

CODES: Mapping[str, Code] = MappingProxyType(
    {code.name: code for code in (*READING_CODES, *VALUE_CODES, *RULE_CODES, *SEARCH_CODES)}
)


def describe_code(name: str) -> str:
    """Returns the description of a fault code, for a terminal.

    Raises:
      UserError: there is no such code.
    """
    code = CODES.get(name)
    if code is None:
        near = nearest(name, CODES)
        hint = f"; did you mean '{near}'?" if near else ""
        raise UserError(f"no fault code '{name}'{hint} (`jaxpot explain` lists them all)")
    return "\n".join(
        (
            f"{code.name}: {code.title}",
            "",
            code.rule,
            "",
            "wrong:",
            _indent(code.wrong),
            "right:",
            _indent(code.right),
        )
    )


def _indent(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())
