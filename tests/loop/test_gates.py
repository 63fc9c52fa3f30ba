"""Gates: every place of judging, with values that are missing or no numbers."""

import math

import pytest

from jaxpot.loop.gates import judge
from jaxpot.spec import Expect
from jaxpot.testing.tiny import tiny_experiment
from tests.loop.running import train

SERIES = [0.5, None, 0.9, math.nan, 0.2, 0.4]
PAYLOADS = [{"iter": t, **({} if x is None else {"m": x})} for t, x in enumerate(SERIES)]


@pytest.mark.parametrize(
    ("gate", "value", "passed"),
    [
        (Expect(metric="m", max=0.4), 0.4, True),
        (Expect(metric="m", max=0.39), 0.4, False),
        (Expect(metric="m", min=0.3, max=0.5), 0.4, True),
        (Expect(metric="m", at="best", min=0.9), 0.9, True),
        (Expect(metric="m", at="best", min=0.91), 0.9, False),
        (Expect(metric="m", at="best", max=0.2), 0.2, True),
        (Expect(metric="m", at="any", min=0.45, max=0.55), 0.5, True),
        (Expect(metric="m", at="any", min=0.95), 0.4, False),
        (Expect(metric="m", at=2, min=0.9), 0.9, True),
        (Expect(metric="m", at=1, min=0.9), None, False),
        (Expect(metric="m", at=3, min=0.0), math.nan, False),
        (Expect(metric="other", min=0.0), None, False),
    ],
)
def test_judging(gate, value, passed):
    (verdict,) = judge([gate], PAYLOADS, complete=True)
    assert verdict["value"] == value or (math.isnan(value) and math.isnan(verdict["value"]))
    assert (verdict["judged"], verdict["passed"]) == (True, passed)


def test_an_incomplete_run_is_not_judged():
    (verdict,) = judge([Expect(metric="m", min=9.0)], PAYLOADS, complete=False)
    assert (verdict["judged"], verdict["passed"], verdict["value"]) == (False, None, 0.4)


def test_a_missed_gate_is_the_runs_status_and_exit_code(tmp_path):
    impossible = tiny_experiment(
        expect=[{"metric": "eval_vs_random/win_rate", "min": 1.0}], iterations=4
    )
    result = train(impossible, tmp_path)
    assert (result.status, result.exit_code) == ("gate_missed", 1)
    assert result.metrics["iter"] == 3
    shortened = train(impossible, tmp_path, iterations=2)
    assert (shortened.status, shortened.exit_code) == ("stopped", 0)
    assert shortened.expect[0]["judged"] is False
