"""Reads an override, `-s path=value`: a TOML key and a TOML value, typed like the file."""

import shlex

import attrs
import tomli

from jaxpot.spec.faults import Fault, Origin, Path, SpecError, dotted, quoted
from jaxpot.spec.source.positions import scan_key
from jaxpot.spec.source.reading import check_values, not_a_value
from jaxpot.spec.wording import NONE


@attrs.frozen
class Override:
    """One `-s path=value`; digits in the path may index an array."""

    text: str
    path: tuple[str, ...]
    value: object

    @property
    def origin(self) -> Origin:
        """What a fault in this value names as its place."""
        return Origin(override=self.text)


def read_override(text: str) -> Override:
    """Read the text after `-s`.

    Raises:
      SpecError: it is not `path=value` with a TOML value.
    """
    split = scan_key(text)
    if split is None:
        raise _refused(
            "override-syntax", text, (), "not an override", "path=value", suggestion=_hydras(text)
        )
    path, value_text = split
    if path[0] == "extends":
        raise _refused("override-extends", text, path, "only a file can extend another")
    try:
        data = tomli.loads(f"value = {value_text}")
    except (ValueError, RecursionError):
        data = {}
    if data.keys() != {"value"}:
        raise _not_a_value(text, path, value_text)
    override = Override(text, path, data["value"])
    faults = [
        attrs.evolve(fault, path=(*path, *fault.path[1:]))
        for fault in check_values(data, lambda _: override.origin)
    ]
    if faults:
        raise SpecError(faults)
    return override


def _hydras(text: str) -> str:
    """Return an override as it is written here, where it is written as Hydra takes it; else ""."""
    bare = text.lstrip("+~!")
    removes = text[:1] in ("~", "!")
    spelled = f'{bare.partition("=")[0]}="{NONE}"' if removes else bare
    return spelled if bare != text and scan_key(spelled) else ""


def _not_a_value(text: str, path: tuple[str, ...], value_text: str) -> SpecError:
    message, suggestion = not_a_value(value_text)
    if value_text[:1].isalpha() and not suggestion:
        spelled = f"{dotted(path)}={quoted(value_text)}"
        message = f"{message}: -s {shlex.quote(spelled)}"
    return _refused("override-value", text, path, message, suggestion=suggestion)


def _refused(
    code: str, text: str, path: Path, message: str, allowed: str = "", suggestion: str = ""
) -> SpecError:
    origin = Origin(override=text)
    return SpecError([Fault(code, path, message, allowed, suggestion, origin)])
