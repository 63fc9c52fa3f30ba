"""Recorded runs: their journals, the DuckDB database made from them, and queries.

This package does not import DuckDB until the first query: the training process only appends to its
journal, and needs DuckDB at its end at most, to judge gates.
"""

from jaxpot.store.errors import (
    DatabaseDamagedError,
    DatabaseFullError,
    DatabaseHeldError,
    LockKeptError,
    SchemaMismatchError,
    StoreError,
)
from jaxpot.store.query import QueryError
from jaxpot.store.reader import RunRow, Store
from jaxpot.store.runs import (
    RunLock,
    RunLockedError,
    RunRef,
    create_run,
    find,
    is_running,
    new_uid,
    run_dir,
)

__all__ = [
    "DatabaseDamagedError",
    "DatabaseFullError",
    "DatabaseHeldError",
    "LockKeptError",
    "QueryError",
    "RunLock",
    "RunLockedError",
    "RunRef",
    "RunRow",
    "SchemaMismatchError",
    "Store",
    "StoreError",
    "create_run",
    "find",
    "is_running",
    "new_uid",
    "run_dir",
]
