"""Digests of specs: what tells whether two runs had the same spec, or the same training."""

import hashlib
import json
from typing import Any

from jaxpot.spec.experiment import Experiment
from jaxpot.spec.resolve import plain

SPEC_VERSION = 1
"""Version of the spec language; it rises when a spec's meaning changes without its text."""


def spec_digest(experiment: Experiment) -> str:
    """Returns the SHA-256 of everything that a spec says, as 64 hex digits."""
    return _digest(plain(experiment, sparse=True))


def training_digest(experiment: Experiment) -> str:
    """Returns the SHA-256 of what can change training's bits, the seed apart.

    Runs of one experiment with other seeds, names, lengths, gates, evaluations, checkpoints or
    displays share it.
    """
    runtime = experiment.runtime
    return _digest(
        {
            "env": plain(experiment.env, sparse=True),
            "model": plain(experiment.model, sparse=True),
            "algorithm": plain(experiment.algorithm, sparse=True),
            "optimizer": plain(experiment.optimizer, sparse=True),
            "collect": plain(experiment.collect, sparse=True),
            "runtime": {"deterministic": runtime.deterministic, "devices": runtime.devices},
        }
    )


def _digest(data: dict[str, Any]) -> str:
    # Fields without a value are left out, so a new optional field leaves every digest as it is.
    versioned = {"spec_version": SPEC_VERSION, "spec": data}
    text = json.dumps(versioned, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
