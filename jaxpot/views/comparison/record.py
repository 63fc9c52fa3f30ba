"""A comparison as one object of JSON."""

from __future__ import annotations

from typing import Any

import attrs

from jaxpot.views.comparison.compare import Comparison, KeyComparison


def comparison_record(found: Comparison) -> dict[str, Any]:
    """Give a comparison as `--json` prints it."""
    return {
        "at": found.at,
        "runs": [run._asdict() for run in found.runs],
        "groups": [
            {"label": group.label, "uids": group.uids, "seeds": [run.seed for run in group.runs]}
            for group in found.groups
        ],
        "differences": [
            {"path": difference.path, "values": dict(difference.values)}
            for difference in found.differences
        ],
        "keys": [_key_record(one) for one in found.keys],
        "notes": found.notes,
    }


def _key_record(one: KeyComparison) -> dict[str, Any]:
    return {
        "key": one.key,
        "sense": one.sense,
        "values": {uid: value._asdict() for uid, value in one.values.items()},
        "groups": {label: attrs.asdict(spread) for label, spread in one.spreads.items()},
        "best": one.lead.best,
        "second": one.lead.second,
        "welch": attrs.asdict(one.lead.welch) if one.lead.welch else None,
        "why": one.lead.why or None,
    }
