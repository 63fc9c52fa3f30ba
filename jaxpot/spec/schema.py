"""The JSON Schema of spec files, made from the classes, for editors.

Draft 4, which TOML editors read. It knows types, bounds, choices and names; what it leaves to
`jaxpot check` are the rules across fields. A spec that extends others may leave out anything, so
required keys are asked only of one that does not.
"""

import inspect
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import attrs

from jaxpot.spec.configs.experiment import Experiment
from jaxpot.spec.configs.parts import IMPORT_PATH
from jaxpot.spec.fields import Name, Rules, rules_of
from jaxpot.spec.registry import Registry, Row, registry_of
from jaxpot.spec.resolve import plain
from jaxpot.spec.wording import NONE, is_union

Schema = dict[str, Any]

_BARE = Rules(doc="")


def json_schema() -> Schema:
    """Return the schema of a spec file."""
    schema = _table(Experiment)
    extends = {
        "description": "Spec files that this one builds on, the later ones over the earlier.",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    }
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": "jaxpot experiment",
        **schema,
        "properties": {"extends": extends, **schema["properties"]},
        "anyOf": [{"required": ["extends"]}, _complete(Experiment)],
    }


def _table(cls: type[Any], kind: Schema | None = None) -> Schema:
    properties = {} if kind is None else {"kind": kind}
    for field in attrs.fields(cls):
        rules = rules_of(field)
        described: Schema = {"description": _description(rules)}
        if field.default is not attrs.NOTHING and field.default is not None:
            described["default"] = plain(field.default)
        properties[field.name] = described | _value(field.type, rules)
    return {
        "description": _summary(cls),
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _value(annotation: Any, rules: Rules) -> Schema:
    if is_union(annotation):
        return _union(annotation, rules)
    origin = get_origin(annotation)
    if origin is Literal:
        return {"enum": list(get_args(annotation))}
    if origin is tuple:
        item = get_args(annotation)[0]
        # An array is never merged with another's, so its tables are whole in every file.
        whole = _required(item) if attrs.has(item) else {}
        schema: Schema = {"type": "array", "items": _value(item, rules) | whole}
        if rules.max_items is not None:
            schema["maxItems"] = rules.max_items
        return _removable(schema | ({"uniqueItems": True} if rules.unique else {}))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        item = get_args(annotation)[1]
        pattern = f"^{rules.keys.pattern}$" if rules.keys else ""
        return _removable(
            {
                "type": "object",
                **_properties({row.kind: _named(row) for row in _named_kinds(item)}),
                "patternProperties": {pattern: _value(item, _BARE)},
                "additionalProperties": False,
            }
        )
    if annotation is bool:
        return {"type": "boolean"}
    if rules.choices:
        return {"enum": list(rules.choices)}
    if annotation is str:
        return {"type": "string"} | (_named_so(rules.name) if rules.name else {})
    if annotation in (int, float):
        return _number(annotation, rules)
    registry = registry_of(frozenset({annotation}))
    return _removable(_parts(registry)[0] if registry is not None else _table(annotation))


def _removable(schema: Schema) -> Schema:
    """Return what may stand in place of a table or an array: it, or the word that removes it."""
    return {"anyOf": [schema, {"enum": [NONE]}]}


def _named_so(name: Name) -> Schema:
    reserved = {"not": {"enum": list(name.reserved)}} if name.reserved else {}
    return {"pattern": f"^{name.pattern}$"} | reserved


def _named_kinds(item: Any) -> tuple[Row, ...]:
    """Return the kinds that the name of a table may stand for."""
    registry = registry_of(frozenset(get_args(item)))
    return registry.rows if registry is not None and registry.named else ()


def _named(row: Row) -> Schema:
    """Return what holds of a table whose name is the kind: it is of that, or says another."""
    return {"anyOf": [_table(row.config, kind={"enum": [row.kind]}), {"required": ["kind"]}]}


def _properties(schemas: dict[str, Schema]) -> Schema:
    return {"properties": schemas} if schemas else {}


def _number(annotation: Any, rules: Rules) -> Schema:
    schema: Schema = {"type": "integer" if annotation is int else "number"}
    low, high = (rules.ge, rules.gt), (rules.le, rules.lt)
    for name, (closed, opened) in (("minimum", low), ("maximum", high)):
        if closed is not None:
            schema[name] = closed
        elif opened is not None:
            schema |= {name: opened, f"exclusive{name.capitalize()}": True}
    return schema | ({"multipleOf": rules.multiple_of} if rules.multiple_of else {})


def _union(annotation: Any, rules: Rules) -> Schema:
    members = get_args(annotation)
    tables = frozenset(member for member in members if attrs.has(member))
    choices = [
        _value(member, rules)
        for member in members
        if member not in tables and member is not type(None)
    ]
    registry = registry_of(tables)
    if registry is not None:
        choices += _parts(registry)
    else:
        choices += [_table(cls) for cls in tables]
    if tables or type(None) in members:
        choices.append({"enum": [NONE]})
    return {"anyOf": choices}


def _parts(registry: Registry) -> list[Schema]:
    schemas = [_table(row.config, kind={"enum": [row.kind]}) for row in registry.rows]
    if registry.imported is not None:
        schemas.append(
            {
                "description": f"A class of your own for the {registry.name}.",
                "type": "object",
                "properties": {"kind": {"type": "string", "pattern": f"^{IMPORT_PATH}$"}},
                "required": ["kind"],
            }
        )
    return schemas


def _required(cls: type[Any]) -> Schema:
    names = [field.name for field in attrs.fields(cls) if field.default is attrs.NOTHING]
    return {"required": names} if names else {}


def _complete(cls: type[Any]) -> Schema:
    """Return a schema of the required keys alone, at every depth."""
    parts = {field.name: _complete_value(field.type) for field in attrs.fields(cls)}
    parts = {name: schema for name, schema in parts.items() if schema}
    return _required(cls) | _properties(parts)


def _complete_value(annotation: Any) -> Schema:
    origin = get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        item = get_args(annotation)[1]
        named = {row.kind: _complete(row.config) for row in _named_kinds(item)}
        return {**_properties(named), "additionalProperties": _complete_value(item)}
    members = get_args(annotation) if is_union(annotation) else (annotation,)
    tables = frozenset(member for member in members if attrs.has(member))
    registry = registry_of(tables)
    if registry is None:
        return _complete(next(iter(tables))) if tables else {}
    # A number or a string that stands for the part passes: these keywords are about tables only.
    kinds = [_whole_part({"enum": [row.kind]}, row.config) for row in registry.rows]
    if registry.imported is not None:
        kinds.append(_whole_part({"type": "string", "pattern": ":"}, registry.imported))
    return {"anyOf": kinds}


def _whole_part(kind: Schema, cls: type[Any]) -> Schema:
    names = {"kind": 0} | dict.fromkeys(_required(cls).get("required", ()))
    return {"properties": {"kind": kind}, "required": list(names)}


def _summary(cls: type[Any]) -> str:
    return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]


def _description(rules: Rules) -> str:
    return f"{rules.doc} Unit: {rules.unit}." if rules.unit else rules.doc
