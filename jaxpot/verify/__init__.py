"""Prove that training repeats itself bit for bit, or find where two runs first differ.

`checks` does `jaxpot verify`: it trains a run or a spec again in child processes and compares.
`golden` compares with a committed file. `bisect` compares two recorded runs. This module imports
none of them, so that `jaxpot report`, which shows grades, stays fast.
"""
