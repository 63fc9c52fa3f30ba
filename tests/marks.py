"""Which cases of a test are in the fast set, where all of them would take too long."""

from collections.abc import Iterable
from typing import Any

import pytest


def slow_except(cases: Iterable[Any], *fast: Any) -> list[Any]:
    """Return the cases of a `parametrize`, all marked as slow but those named."""
    cases = list(cases)
    assert all(case in cases for case in fast), fast
    return [
        case
        if case in fast
        else pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
        for case in cases
    ]
