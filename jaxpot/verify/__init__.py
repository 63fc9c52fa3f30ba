"""Prove that training repeats itself bit for bit, or find where two runs first differ.

`jaxpot verify` trains a run or a spec again in child processes and compares; `jaxpot bisect`
compares two recorded runs.
"""

from jaxpot.verify.bisect import bisect_runs
from jaxpot.verify.checks import verify_against, verify_run, verify_spec
from jaxpot.verify.golden import check_golden, update_golden
from jaxpot.verify.report import Report

__all__ = [
    "Report",
    "bisect_runs",
    "check_golden",
    "update_golden",
    "verify_against",
    "verify_run",
    "verify_spec",
]
