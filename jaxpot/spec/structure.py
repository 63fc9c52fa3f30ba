"""Plain TOML data to spec classes: strictly, and with every fault at once.

cattrs dispatches on the annotated types; all that it does to values by default (`3.7` to `3`,
`"false"` to `True`, `"12"` to `(1, 2)`) is replaced by hooks that take a value as it is or refuse
it. A refusal carries its faults and what is usable all the same, so that the rules across sections
are checked on the rest of the spec.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sized
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

import attrs

from jaxpot.spec.configs.experiment import Experiment
from jaxpot.spec.configs.parts import (
    PLACES,
    EvaluatorTable,
    FrozenMap,
    ImportedEvaluator,
    ImportedPart,
    ImportedPhase,
    Place,
    import_class,
    load_table,
)
from jaxpot.spec.faults import Fault, SpecError, nearest
from jaxpot.spec.fields import broken, derived_faults, rules_of
from jaxpot.spec.registry import Registry, registry_of
from jaxpot.spec.rules.draft import Draft
from jaxpot.spec.rules.validate import validate
from jaxpot.spec.scalars import (
    MISSING,
    Rejected,
    accept,
    distrusted,
    kind_of,
    limited,
    take_bool,
    take_float,
    take_int,
    take_literal,
    take_scalar_member,
    take_str,
    under,
    unknown_keys,
    unknown_kind,
    wrong_type,
)
from jaxpot.spec.wording import NONE, allowed, given, is_union

if TYPE_CHECKING:
    from cattrs import Converter

Items = TypeVar("Items", bound=Sized)

MAX_ITEMS = 10_000
"""Most items of an array or entries of a table of tables that are looked at at all."""


def structure(
    data: Mapping[str, Any], *, import_user_code: bool
) -> tuple[Experiment | None, list[Fault], list[str]]:
    """Make an experiment of a spec's plain data.

    Args:
      data: tables as dicts, arrays as lists, as tomli gives them.
      import_user_code: whether the classes of users' own parts are imported.

    Returns:
      The experiment, or None where there are faults; every fault, those of single fields before
      those of rules across fields, without origins; and the import paths that the spec names.
    """
    import_paths: list[str] = []
    converter = make_converter(import_paths, import_user_code=import_user_code)
    values, faults = _take_fields(data, Experiment, converter)
    faults += validate(Draft(_defaults() | values, distrusted(faults)))
    experiment = None if faults else Experiment(**values)
    return experiment, limited(faults), import_paths


def structure_sink(name: str, table: Mapping[str, Any]) -> Any:
    """Make the config of one sink, importing its class where it is a user's own.

    Raises:
      SpecError: with every fault of the table.
    """
    converter = make_converter([], import_user_code=True)
    sinks: Any = attrs.fields_dict(attrs.resolve_types(Experiment))["sinks"].type
    try:
        return converter.structure({name: table}, sinks)[name]
    except Rejected as rejected:
        raise SpecError(under("sinks", fault) for fault in rejected.faults) from None


def make_converter(import_paths: list[str], *, import_user_code: bool) -> "Converter":
    """Build the converter: the one place where types meet their hooks.

    Args:
      import_paths: takes every import path that structuring meets.
      import_user_code: whether those are imported.
    """
    from cattrs import Converter

    converter = Converter(detailed_validation=False)
    on_host: list[str] = []  # the part that is being made, where the program has no use for it

    def take_table(value: Any, cls: Any) -> Any:
        only_imported = registry_of(frozenset({cls})) if issubclass(cls, ImportedPart) else None
        if only_imported is not None:
            return take_part(_table(value), only_imported)
        values, faults = _take_fields(_table(value), cls, converter, host=bool(on_host))
        if not faults:
            config = cls(**values)
            return accept(config, [] if on_host else [*derived_faults(config)])
        usable = MISSING
        if _required(cls) <= values.keys():
            # A user's class may have a rule that the rest breaks too.
            with contextlib.suppress(TypeError, ValueError):
                usable = cls(**values)
        raise Rejected(faults, usable)

    def take_array(value: Any, annotation: Any) -> Any:
        if value == NONE:
            raise _nothing_to_remove()
        if not isinstance(value, list | tuple):
            raise wrong_type(value, annotation)
        item_type = _item_type(annotation)
        pairs = ((index, item, item_type) for index, item in enumerate(_bounded(value)))
        items, faults = _take_each(pairs, converter)
        container = get_origin(annotation) or list
        # A refused item leaves a gap, so that the others keep their indices.
        return accept(container(items.get(index) for index in range(len(value))), faults)

    def take_mapping(value: Any, annotation: Any) -> Any:
        item_type = get_args(annotation)[1]
        named = _named_part(item_type)
        pairs = (
            (key, named(key, item), item_type) for key, item in _bounded(_table(value)).items()
        )
        items, faults = _take_each(pairs, converter)
        faults = [_meant(fault, value) for fault in faults]
        return accept(items if get_origin(annotation) is dict else FrozenMap(items), faults)

    def take_union(value: Any, annotation: Any) -> Any:
        members = get_args(annotation)
        tables = frozenset(member for member in members if attrs.has(member))
        if isinstance(value, Mapping) and tables:
            registry = registry_of(tables)
            if registry is None:
                return converter.structure(value, next(iter(tables)))
            return take_part(value, registry)
        if type(None) in members and value == NONE:
            return None
        if tables and value == NONE:
            raise _nothing_to_remove()
        return take_scalar_member(value, annotation, converter.structure)

    def take_part(value: Mapping[str, Any], registry: Registry) -> Any:
        kind = kind_of(value, registry)
        table = {key: item for key, item in value.items() if key != "kind"}
        row = registry.by_kind.get(kind)
        if row is not None:
            return converter.structure(table, row.config)
        if registry.imported is None:
            raise unknown_kind(kind, registry)
        import_paths.append(kind)
        frozen, faults = load_table(table)
        if faults:
            raise Rejected(faults)
        if issubclass(registry.imported, ImportedEvaluator):
            converter.structure({k: v for k, v in table.items() if k == "every"}, EvaluatorTable)
        if issubclass(registry.imported, ImportedPhase):
            placed = {key: name for key, name in table.items() if key in PLACES}
            converter.structure(placed, Place)
            if len(placed) != 1:
                raise Rejected([_misplaced(placed)])
            table = {key: item for key, item in table.items() if key not in PLACES}
        on_host[:] = [kind] if registry.host else []
        try:
            config = take_imported(kind, table) if import_user_code else None
        finally:
            on_host.clear()
        return registry.imported(kind=kind, table=frozen, config=config)

    def take_imported(kind: str, table: Mapping[str, Any]) -> Any:
        cls = import_class(kind)
        if isinstance(cls, Fault):
            raise Rejected([cls])
        try:
            return converter.structure(table, cls)
        except Rejected:
            raise
        # The class is somebody else's: its annotations, validators and converters may raise
        # anything, and whatever they say is about the table.
        except Exception as error:
            text = f"{kind} refuses its table: {type(error).__name__}: {error}"
            raise Rejected([Fault("import-refused", (), text)]) from error

    converter.register_structure_hook(bool, take_bool)
    converter.register_structure_hook(int, take_int)
    converter.register_structure_hook(float, take_float)
    converter.register_structure_hook(str, take_str)
    converter.register_structure_hook_func(lambda t: get_origin(t) is Literal, take_literal)
    converter.register_structure_hook_func(attrs.has, take_table)
    converter.register_structure_hook_func(_is_array, take_array)
    converter.register_structure_hook_func(_is_mapping, take_mapping)
    converter.register_structure_hook_func(is_union, take_union)
    return converter


def _take_fields(
    data: Mapping[str, Any], cls: type[Any], converter: "Converter", *, host: bool = False
) -> tuple[dict[str, Any], list[Fault]]:
    """Take a table's keys as a class's arguments; what is wrong is left out.

    `host` says that the program has no use for any of them.
    """
    fields = {field.alias: field for field in attrs.fields(attrs.resolve_types(cls)) if field.init}
    faults = unknown_keys(data, fields)
    known = ((key, data[key], fields[key].type) for key in data if key in fields)
    values, refused = _take_each(known, converter)
    faults += [_worded(fault, fields[str(fault.path[0])]) for fault in refused]
    for name, field in fields.items():
        rules = rules_of(field)
        if host:
            rules = attrs.evolve(rules, host=True)
        if name in values:
            text = allowed(_item_type(field.type), rules)
            breaches = [under(name, fault) for fault in broken(rules, values[name], text)]
            if breaches:
                faults += breaches
                del values[name]
        elif name not in data and name in _required(cls):
            faults.append(Fault("missing-key", (name,), "missing", allowed(field.type, rules)))
    return values, faults


def _take_each(
    pairs: Iterable[tuple[str | int, Any, Any]], converter: "Converter"
) -> tuple[dict[Any, Any], list[Fault]]:
    """Take each `(key, value, type)`; of a refused value, what is usable."""
    values: dict[Any, Any] = {}
    faults: list[Fault] = []
    for key, value, annotation in pairs:
        try:
            values[key] = converter.structure(value, annotation)
        except Rejected as rejected:
            faults += [under(key, fault) for fault in rejected.faults]
            if rejected.usable is not MISSING:
                values[key] = rejected.usable
    return values, faults


def _bounded(value: Items) -> Items:
    if len(value) > MAX_ITEMS:
        fault = Fault("out-of-range", (), f"{len(value)} items", f"at most {MAX_ITEMS}")
        raise Rejected([fault])
    return value


def _worded(fault: Fault, field: "attrs.Attribute[Any]") -> Fault:
    """Say of a wrong type what the field's own rules allow, not just its type."""
    inside = fault.path[1:]
    if fault.code not in ("wrong-type", "not-finite") or any(isinstance(p, str) for p in inside):
        return fault
    annotation = _item_type(field.type) if inside else field.type
    return attrs.evolve(fault, allowed=allowed(annotation, rules_of(field)))


def _named_part(annotation: Any) -> Callable[[str, Any], Any]:
    """Return what gives a table its name as its kind, where such parts may be so named."""
    registry = registry_of(frozenset(get_args(annotation)))
    kinds = registry.by_kind if registry is not None and registry.named else {}

    def named(name: str, table: Any) -> Any:
        if name in kinds and isinstance(table, Mapping) and "kind" not in table:
            return {"kind": name, **table}
        return table

    return named


def _misplaced(placed: Mapping[str, Any]) -> Fault:
    message = "both `after` and `before`" if placed else "neither `after` nor `before`"
    return Fault("phase-place", (), message, 'one of them, such as after = "training"')


def _item_type(annotation: Any) -> Any:
    return get_args(annotation)[0] if _is_array(annotation) else annotation


def _defaults() -> dict[str, Any]:
    fields = attrs.fields(Experiment)
    return {field.name: field.default for field in fields if field.default is not attrs.NOTHING}


def _required(cls: type[Any]) -> set[str]:
    return {field.alias for field in attrs.fields(cls) if field.default is attrs.NOTHING}


def _nothing_to_remove() -> Rejected:
    message = f'"{NONE}" removes what a file that is extended has set, and none sets this'
    return Rejected([Fault("nothing-to-remove", (), message)])


def _meant(fault: Fault, siblings: Mapping[str, Any]) -> Fault:
    """Names the table that was probably meant by a removal of one that is not there."""
    if fault.code != "nothing-to-remove" or len(fault.path) != 1:
        return fault
    names = [name for name, table in siblings.items() if table != NONE]
    return attrs.evolve(fault, suggestion=nearest(str(fault.path[-1]), names))


def _table(value: Any) -> Mapping[str, Any]:
    if value == NONE:
        raise _nothing_to_remove()
    if not isinstance(value, Mapping):
        raise Rejected([Fault("wrong-type", (), given(value), "a table")])
    return value


def _is_array(annotation: Any) -> bool:
    return get_origin(annotation) in (tuple, list)


def _is_mapping(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)
