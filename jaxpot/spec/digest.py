"""Digests of specs: what tells whether two runs had the same spec, or the same training."""

import hashlib
import json
from typing import Any

from jaxpot.spec.configs.evaluators import ArchiveEvaluator
from jaxpot.spec.configs.experiment import Experiment
from jaxpot.spec.resolve import plain

SPEC_VERSION = 2
"""Version of the spec language; it rises when a spec's meaning changes without its text."""


def spec_digest(experiment: Experiment) -> str:
    """Returns the SHA-256 of everything that a spec says, as 64 hex digits."""
    return _digest(plain(experiment, sparse=True))


def training_digest(experiment: Experiment) -> str:
    """Returns the SHA-256 of what can change training's bits, the seed apart.

    Runs of one experiment with other seeds, names, lengths, gates, evaluations, checkpoints or
    displays share it; not so with other evaluations of the archive, which move its scores.
    """
    runtime = experiment.runtime
    optional: dict[str, Any] = {}
    if experiment.league is not None:
        optional["league"] = plain(experiment.league, sparse=True)
        del optional["league"]["log_every"]  # a cadence of records only
    if experiment.target is not None:
        optional["target"] = plain(experiment.target, sparse=True)
    archive = {n: x for n, x in experiment.eval.items() if isinstance(x, ArchiveEvaluator)}
    if archive:
        optional["eval"] = plain(archive, sparse=True)
    if experiment.auxiliary:
        optional["auxiliary"] = plain(experiment.auxiliary, sparse=True)
    return _digest(
        {
            "env": plain(experiment.env, sparse=True),
            "model": plain(experiment.model, sparse=True),
            "algorithm": plain(experiment.algorithm, sparse=True),
            "optimizer": plain(experiment.optimizer, sparse=True),
            "collect": plain(experiment.collect, sparse=True),
            "runtime": {"deterministic": runtime.deterministic, "devices": runtime.devices},
            **optional,
        }
    )


def _digest(data: dict[str, Any]) -> str:
    # Fields without a value, and later ones at their default, are left out: so a new field leaves
    # every digest as it is.
    versioned = {"spec_version": SPEC_VERSION, "spec": data}
    text = json.dumps(versioned, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
