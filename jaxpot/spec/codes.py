"""The fault codes that `jaxpot explain CODE` describes, from `codes.toml`."""

from collections.abc import Iterator, Mapping
from functools import cache

import tomli

from jaxpot.errors import UserError
from jaxpot.spec.faults import Code, nearest


@cache
def read_codes() -> dict[str, Code]:
    """Reads the catalogue of fault codes."""
    from importlib import resources  # slow to import, and most runs need no codes

    text = resources.files("jaxpot.spec").joinpath("codes.toml").read_text(encoding="utf-8")
    return {
        name: Code(name, **{**code, "rule": " ".join(code["rule"].split())})
        for name, code in tomli.loads(text).items()
    }


class _Codes(Mapping[str, Code]):
    """Codes by name, in the order of the file, which is read at first use: most runs need none."""

    def __getitem__(self, name: str) -> Code:
        return read_codes()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(read_codes())

    def __len__(self) -> int:
        return len(read_codes())


CODES: Mapping[str, Code] = _Codes()


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
