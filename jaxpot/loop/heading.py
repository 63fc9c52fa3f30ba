"""What a journal says of a run and of an attempt before the first iteration."""

import os
from collections.abc import Mapping
from typing import Any

import jax

from jaxpot.journal import JOURNAL_VERSION, RunRecord
from jaxpot.loop.provenance import provenance
from jaxpot.loop.record import ROWS
from jaxpot.loop.streams import CONTRACT
from jaxpot.loop.variables import recorded_settings
from jaxpot.spec import SPEC_VERSION, Experiment, resolved, spec_digest, to_toml, training_digest


def header(experiment: Experiment) -> dict[str, Any]:
    """Returns the first record of a new run's journal, but for its uid."""
    return {
        "journal_version": JOURNAL_VERSION,
        "name": experiment.name,
        **_spec(experiment),
        "spec_version": SPEC_VERSION,
        "seed": experiment.seed,
        "iterations": experiment.iterations,
        "tags": list(experiment.tags),
        "contract": CONTRACT,
        "rows": ROWS,
        "parent": None,
    }


def changed_spec(record: RunRecord, experiment: Experiment) -> dict[str, Any]:
    """Returns the spec's part of an attempt's record: empty where it is the run's spec so far."""
    return {} if record.spec == resolved(experiment) else _spec(experiment)


def _spec(experiment: Experiment) -> dict[str, Any]:
    spec = resolved(experiment)
    return {
        "spec": spec,
        "spec_toml": to_toml(spec),
        "spec_digest": spec_digest(experiment),
        "training_digest": training_digest(experiment),
    }


def surroundings() -> dict[str, Any]:
    """Returns where an attempt runs: commit, versions, host, device, instruction set, threads."""
    device = jax.devices()[0]
    return provenance() | {
        "platform": device.platform,
        "device_kind": device.device_kind,
        "device_count": 1,
        "environ": recorded_settings(os.environ, jax.config.values),
        "contract": CONTRACT,
        "rows": ROWS,
    }


def moved(record: RunRecord | None, here: Mapping[str, Any]) -> list[str]:
    """Says what differs from where the run was before, and so may change its bits.

    What the journal does not say, an older one for instance, is passed over.
    """
    if record is None or record.attempt == 0:
        return []
    before = record.provenance
    texts = [
        f"{what} was {before[what]} and is {here[what]}: the bits may differ from here on"
        for what in ("os", "arch", "platform", "device_kind", "isa", "nproc", "xla_flags")
        if before.get(what) not in (None, here[what])
    ]
    now = here["environ"]
    then = now if before.get("environ") is None else before["environ"]
    texts += [
        f"{name} was {then.get(name, 'unset')} and is {now.get(name, 'unset')}: the bits may "
        "differ from here on"
        for name in sorted(then.keys() | now.keys())
        if then.get(name) != now.get(name)
    ]
    new = here["versions"]
    old = before.get("versions") or new
    texts += [
        f"{package} was {old.get(package)} and is {new.get(package)}: the bits may differ"
        for package in sorted(old.keys() | new.keys())
        if old.get(package) != new.get(package)
    ]
    return texts
