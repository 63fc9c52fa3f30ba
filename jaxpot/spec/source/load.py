"""Loads a spec: reads it, composes it, checks it, and says all that is wrong at once."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs

from jaxpot.spec.configs.experiment import Experiment
from jaxpot.spec.faults import Fault, SpecError, dotted, nearest
from jaxpot.spec.resolve import resolved
from jaxpot.spec.source.document import Document, Provenance, compose
from jaxpot.spec.structure import structure


@attrs.frozen
class Loaded:
    """A spec that has no fault.

    Attributes:
      experiment: the typed spec.
      resolved: the same as plain data, every default filled in.
      provenance: where each value came from, and what it overrode.
      import_paths: the users' own classes that the spec names, imported or not.
      files: every file that was read, the spec's own first.
    """

    experiment: Experiment
    resolved: dict[str, Any]
    provenance: Provenance
    import_paths: tuple[str, ...]
    files: tuple[str, ...]

    @contextmanager
    def placing(self) -> Iterator[None]:
        """Say of faults that are found later, in what the spec names, where it was written.

        Raises:
          SpecError: the block did, with the same faults.
        """
        try:
            yield
        except SpecError as error:
            faults = (
                attrs.evolve(fault, origin=fault.origin or self.provenance.nearest(fault.path))
                for fault in error.faults
            )
            raise SpecError(_in_order(faults, self.files)) from error


def load(
    path: str | os.PathLike[str],
    *,
    overrides: Sequence[str] = (),
    import_user_code: bool = False,
) -> Loaded:
    """Load the spec file at `path`.

    Args:
      path: the file; errors name it as it is given here.
      overrides: texts of the form `path=value`, as `-s` takes them.
      import_user_code: whether to import, and check against, the users' own classes that the spec
        names; without, their tables are kept as they are.

    Raises:
      SpecError: with every fault that was found, in the order of the files and their lines.
    """
    files: tuple[str, ...] = (os.fspath(path),)
    try:
        document = compose(path, overrides)
        files = document.files
        experiment, found, import_paths = structure(
            document.data, import_user_code=import_user_code
        )
        if found or experiment is None:
            raise SpecError(_placed(fault, document) for fault in found)
    except SpecError as error:
        raise SpecError(_in_order(error.faults, files)) from None
    return Loaded(
        experiment=experiment,
        resolved=resolved(experiment),
        provenance=document.provenance,
        import_paths=tuple(import_paths),
        files=files,
    )


def _placed(fault: Fault, document: Document) -> Fault:
    """Add where the value was written; the name an override misspelled, where it made a table."""
    origin = fault.origin or document.provenance.nearest(fault.path)
    suggestion = fault.suggestion
    if fault.code == "missing-kind" and origin.override is not None and len(fault.path) > 1:
        *around, table, _ = fault.path
        siblings: Any = document.data
        for part in around:
            siblings = siblings[part]
        near = nearest(str(table), [str(name) for name in siblings if name != table])
        suggestion = near and dotted((*around, near))
    return attrs.evolve(fault, origin=origin, suggestion=suggestion)


def _in_order(faults: Iterable[Fault], files: Sequence[str]) -> list[Fault]:
    """Sort faults by file, the spec's own first, and line; those of overrides come last."""

    def place(fault: Fault) -> tuple[bool, bool, str, int, tuple[str, ...]]:
        origin = fault.origin
        file = (origin.file if origin else None) or ""
        return (
            origin is not None and origin.override is not None,
            file != files[0],
            file,
            (origin.line if origin else None) or 0,
            tuple(map(str, fault.path)),
        )

    return sorted(faults, key=place)
