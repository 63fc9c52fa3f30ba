"""Packages that only some specs need: whether they are installed, without importing them."""

from collections.abc import Iterator
from importlib.util import find_spec

from jaxpot.spec.configs.experiment import Experiment
from jaxpot.spec.faults import Fault
from jaxpot.spec.registry import part_row


def missing_extras(experiment: Experiment) -> list[Fault]:
    """Returns a fault for each part whose package is not installed here.

    A spec with such a fault is a right one elsewhere: so this is no rule of the spec, but one of
    the commands that say whether it can be run here.
    """
    return list(_missing(experiment))


def _missing(experiment: Experiment) -> Iterator[Fault]:
    for name, sink in experiment.sinks.items():
        row = part_row(sink)
        if row is None or row.requires is None or find_spec(row.requires.module) is not None:
            continue
        message = f"a sink of kind {row.kind} needs {row.requires.module}, which is not installed"
        way_out = f"`pip install 'jaxpot[{row.requires.extra}]'`, or another sink"
        yield Fault("missing-extra", ("sinks", name), message, way_out)
