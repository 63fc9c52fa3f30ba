"""Reads the tag of a tagged union: which kind a part's table says it is."""

from collections.abc import Mapping
from typing import Any

from jaxpot.spec.faults import Fault, nearest
from jaxpot.spec.imports import check_import_path
from jaxpot.spec.registry import Registry
from jaxpot.spec.scalars import Rejected
from jaxpot.spec.wording import given, listed, shown


def kind_of(value: Mapping[str, Any], registry: Registry) -> str:
    """Returns the kind that a table says it is: one of the registry's, or an import path.

    Raises:
      Rejected: it says none, or one that there is not.
    """
    if "kind" not in value:
        raise Rejected([Fault("missing-kind", ("kind",), "missing", _kinds(registry))])
    kind = value["kind"]
    if not isinstance(kind, str):
        raise Rejected([Fault("wrong-type", ("kind",), given(kind), _kinds(registry))])
    if kind in registry.by_kind:
        return kind
    if registry.imported is None or ":" not in kind:
        raise unknown_kind(kind, registry)
    fault = check_import_path(kind)
    if fault is not None:
        raise Rejected([fault])
    return kind


def _kinds(registry: Registry) -> str:
    own = '"package.module:Name" for a class of your own'
    if not registry.rows:
        return own
    return listed(list(registry.by_kind)) + (f", or {own}" if registry.imported else "")


def unknown_kind(kind: str, registry: Registry) -> Rejected:
    """Returns the refusal of a kind that a registry does not have."""
    if kind in registry.former:
        message = (
            f"{shown(kind)} is no longer a kind of {registry.name}; use the option that replaced it"
        )
        return Rejected([Fault("unknown-kind", ("kind",), message, registry.former[kind])])
    message = f"{shown(kind)} is no kind of {registry.name}"
    near = nearest(kind.lower(), registry.by_kind)
    return Rejected([Fault("unknown-kind", ("kind",), message, _kinds(registry), near)])
